"""What a pickle says of chumpy's and scipy.sparse's objects, kept as inert records; none of them is imported."""

from pickle import UnpicklingError

import numpy as np

from handrefine.io.pickled_arrays import Record, Values, shape_of


class ChumpyArray(Record):
    """`chumpy.ch.Ch`: the numbers are its `x`."""

    __slots__ = ()

    def value(self, values: Values) -> np.ndarray:
        return values.array(self.entry("x"), "biuf")


class ChumpySelection(Record):
    """`chumpy.reordering.Select`: some entries of the flattened array `a`, in a new shape."""

    __slots__ = ()

    def value(self, values: Values) -> np.ndarray:
        indices = values.array(self.entry("idxs"), "iu")
        shape = values.of(self.entry("preferred_shape"))
        shape = shape_of(shape.tolist() if isinstance(shape, np.ndarray) else shape)
        values.charge(indices.size)
        return values.array(self.entry("a"), "biuf").ravel()[indices].reshape(shape)


class SparseByColumns(Record):
    """`scipy.sparse.csc_matrix`: the entries `indptr[k]` to `indptr[k + 1]` of `data` are column k's."""

    __slots__ = ()

    def value(self, values: Values) -> np.ndarray:
        rows, columns = self._sizes(values)
        return self._dense(values, columns, rows).T

    def _sizes(self, values: Values) -> tuple[int, int]:
        shape = shape_of(values.of(self.entry("_shape", "shape")))
        if len(shape) != 2:
            raise UnpicklingError("a sparse matrix does not have two sides")
        return shape[0], shape[1]

    def _dense(self, values: Values, lines: int, length: int) -> np.ndarray:
        """The matrix line by line."""
        data = values.array(self.entry("data"), "biuf")
        where, starts = (values.array(self.entry(name), "iu").astype(np.int64) for name in ("indices", "indptr"))
        consistent = (
            data.shape == where.shape == (data.size,)
            and starts.shape == (lines + 1,)
            and starts[0] == 0
            and starts[-1] == data.size
            and (np.diff(starts) >= 0).all()
            and (where >= 0).all()
            and (where < length).all()
        )
        if not consistent:
            raise UnpicklingError("a sparse matrix contradicts itself")
        values.charge(lines * length)
        dense = np.zeros((lines, length))
        np.add.at(dense, (np.repeat(np.arange(lines), np.diff(starts)), where), data)
        return dense


class SparseByRows(SparseByColumns):
    """`scipy.sparse.csr_matrix`."""

    __slots__ = ()

    def value(self, values: Values) -> np.ndarray:
        rows, columns = self._sizes(values)
        return self._dense(values, rows, columns)
