"""Files of every calibration format, all of one known rig of two cameras."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from calibration_rig import (
    DIST,
    HEIGHT,
    RVEC,
    WIDTH,
    K,
    R,
    T,
    opencv_matrix,
    quaternion,
    rows,
    transformation,
    world_from_gl_camera,
)


def in_opencv_json(folder: Path) -> Path:
    cameras = {
        f"cam{k}": {"K": K[k].tolist(), "dist": DIST[k].tolist(), "R": R[k].tolist(), "t": T[k].tolist()}
        for k in range(2)
    }
    (folder / "rig.json").write_text(json.dumps(cameras))
    return folder / "rig.json"


def in_opencv_json_list(folder: Path) -> Path:
    cameras = [
        {"name": f"cam{k}", "camera_matrix": K[k].tolist(), "dist_coeffs": [DIST[k].tolist()],
         "rvec": RVEC[k].tolist(), "tvec": T[k][:, None].tolist(), "image_size": [WIDTH, HEIGHT]}
        for k in range(2)
    ]  # fmt: skip
    (folder / "rig.json").write_text(json.dumps({"cameras": cameras}))
    return folder / "rig.json"


def in_opencv_yaml_files(folder: Path) -> Path:
    for k in range(2):
        names = {"camera_matrix": K[k], "distortion_coefficients": DIST[k], "R": R[k], "T": T[k][:, None]}
        body = "\n".join(f"{name}: {opencv_matrix(matrix)}" for name, matrix in names.items())
        (folder / f"cam{k}.yml").write_text(f"%YAML:1.0\n---\nimage_width: 640\nimage_height: 480\n{body}\n")
    return folder


def in_npz_stacks(folder: Path) -> Path:
    np.savez(folder / "rig.npz", names=["cam0", "cam1"], mtx=K, dist=DIST, R=R, T=np.array(T)[..., None])
    return folder / "rig.npz"


def in_npz_suffixes(folder: Path) -> Path:
    values = {
        f"{name}_cam{k}": of[k] for k in range(2) for name, of in (("K", K), ("D", DIST), ("R", R), ("t", T))
    }
    np.savez(folder / "rig.npz", **values)
    return folder / "rig.npz"


def in_extrinsic_matrices(folder: Path) -> Path:
    cameras = {
        f"cam{k}": {
            "intrinsics": [K[k][0, 0], K[k][1, 1], K[k][0, 2], K[k][1, 2]],
            "distortion": DIST[k].tolist(),
            "c2w": np.linalg.inv(np.vstack([np.column_stack([R[k], T[k]]), [0, 0, 0, 1]])).tolist(),
        }
        for k in range(2)
    }
    (folder / "rig.json").write_text(json.dumps({"calibration": cameras}))
    return folder / "rig.json"


def in_projection_matrices(folder: Path) -> Path:
    cameras = {
        f"cam{k}": {"P": (K[k] @ np.column_stack([R[k], T[k]])).tolist(), "dist": DIST[k].tolist()}
        for k in range(2)
    }
    (folder / "rig.json").write_text(json.dumps(cameras))
    return folder / "rig.json"


def in_headed_text(folder: Path) -> Path:
    for k in range(2):
        (folder / f"cam{k}.dat").write_text(f"intrinsic:\n{rows(K[k])}\ndistortion:\n{rows(DIST[k])}\n")
        more = "" if k == 0 else f"\n#below: from cam0 to cam1\nR:\n{rows(np.eye(3))}\nT:\n{rows(T[0][:, None])}\n"
        (folder / f"rot_trans_cam{k}.dat").write_text(f"R:\n{rows(R[k])}\nT:\n{rows(T[k][:, None])}\n{more}")
    return folder


def in_bare_text(folder: Path) -> Path:
    for k in range(2):
        Rt = np.column_stack([R[k], T[k]])
        (folder / f"cam{k}.txt").write_text(f"{rows(K[k])}\n\n{rows(DIST[k])}\n\n{rows(Rt)}\n")
    return folder


def in_anipose_toml(folder: Path) -> Path:
    tables = [
        f'[cam_{k}]\nname = "cam{k}"\nsize = [640, 480]\nmatrix = {K[k].tolist()}\n'
        f"distortions = {DIST[k].tolist()}\nrotation = {RVEC[k].tolist()}\ntranslation = {T[k].tolist()}\n"
        for k in range(2)
    ]
    (folder / "calibration.toml").write_text("\n".join([*tables, "[metadata]\nerror = 0.4\n"]))
    return folder / "calibration.toml"


def in_caliscope_toml(folder: Path) -> Path:
    tables = [
        f"[cameras.{k}]\ncam_id = {k}\nsize = [640, 480]\nrotation_count = 0\nmatrix = {K[k].tolist()}\n"
        f"distortions = {DIST[k].tolist()}\nrotation = {RVEC[k].tolist()}\ntranslation = {T[k].tolist()}\n"
        "fisheye = false\nignore = false\n"
        for k in range(2)
    ]
    (folder / "camera_array.toml").write_text("\n".join(tables))
    return folder / "camera_array.toml"


def in_easymocap(folder: Path) -> Path:
    head = '%YAML:1.0\n---\nnames:\n  - "cam0"\n  - "cam1"\n'
    intri = "".join(f"K_cam{k}: {opencv_matrix(K[k])}\ndist_cam{k}: {opencv_matrix(DIST[k])}\n" for k in range(2))
    extri = "".join(
        f"R_cam{k}: {opencv_matrix(RVEC[k][:, None])}\nRot_cam{k}: {opencv_matrix(R[k])}\n"
        f"T_cam{k}: {opencv_matrix(T[k][:, None])}\n"
        for k in range(2)
    )
    (folder / "intri.yml").write_text(head + intri)
    (folder / "extri.yml").write_text(head + extri)
    return folder


def kalibr_text(lens: str) -> str:
    """The chain's first camera is the world: both are told relative to it."""
    world = [np.vstack([np.column_stack([R[k], T[k]]), [0, 0, 0, 1]]) for k in range(2)]
    step = world[1] @ np.linalg.inv(world[0])
    text = ""
    for k in range(2):
        intrinsics = [float(K[k][at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2))]
        chain = "" if k == 0 else "  T_cn_cnm1:\n" + "".join(f"  - {row}\n" for row in step.tolist())
        text += (
            f"cam{k}:\n{chain}  camera_model: pinhole\n  distortion_coeffs: {DIST[k].tolist()}\n"
            f"  distortion_model: {lens}\n  intrinsics: {intrinsics}\n  resolution: [640, 480]\n"
        )
    return text


def transforms(model: str, keys: tuple[str, ...]) -> dict:
    frames = [
        {
            "file_path": f"images/cam{k}/frame_00001.png",
            "transform_matrix": world_from_gl_camera(k),
            "fl_x": K[k][0, 0],
            "fl_y": K[k][1, 1],
            "cx": K[k][0, 2] + 0.5,
            "cy": K[k][1, 2] + 0.5,
            **dict(zip(keys, DIST[k].tolist(), strict=True)),
        }
        for k in range(2)
    ]
    return {"camera_model": model, "w": WIDTH, "h": HEIGHT, "frames": frames}


def in_nerfstudio(folder: Path) -> Path:
    (folder / "transforms.json").write_text(json.dumps(transforms("OPENCV", ("k1", "k2", "p1", "p2"))))
    return folder


def colmap_parameters(k: int) -> list[float]:
    return [K[k][0, 0], K[k][1, 1], K[k][0, 2] + 0.5, K[k][1, 2] + 0.5, *DIST[k].tolist()]


def colmap_text(folder: Path, model: str) -> Path:
    numbers = [" ".join(map(repr, map(float, colmap_parameters(k)))) for k in range(2)]
    (folder / "cameras.txt").write_text(
        "# Camera list\n" + "".join(f"{k + 1} {model} {WIDTH} {HEIGHT} {numbers[k]}\n" for k in range(2))
    )
    poses = [" ".join(map(repr, map(float, (*quaternion(R[k]), *T[k])))) for k in range(2)]
    (folder / "images.txt").write_text(
        "# Image list\n" + f"1 {poses[0]} 1 cam0.jpg\n10.5 20.5 -1 3 4 7\n2 {poses[1]} 2 cam1.jpg\n\n"
    )
    return folder


def in_colmap_text(folder: Path) -> Path:
    return colmap_text(folder, "OPENCV")


def in_colmap_binary(folder: Path) -> Path:
    cameras, images = struct.pack("<Q", 2), struct.pack("<Q", 2)
    for k in range(2):
        cameras += struct.pack("<iiQQ8d", k + 1, 4, WIDTH, HEIGHT, *colmap_parameters(k))
        images += (
            struct.pack("<i7di", k + 1, *quaternion(R[k]), *T[k], k + 1) + f"cam{k}/0001.jpg".encode() + b"\0"
        )
        images += struct.pack("<Q", 1) + struct.pack("<ddq", 10.0, 20.0, -1)
    (folder / "cameras.bin").write_bytes(cameras)
    (folder / "images.bin").write_bytes(images)
    return folder


def in_filestorage_json(folder: Path) -> Path:
    """As OpenCV itself writes JSON: matrices of one axis have `sizes` in newer versions."""
    file = cv2.FileStorage(str(folder / "rig.json"), cv2.FileStorage_WRITE)
    for k in range(2):
        file.startWriteStruct(f"cam{k}", cv2.FileNode_MAP)
        for name, values in (("K", K[k]), ("D", DIST[k]), ("R", R[k]), ("T", T[k])):
            file.write(name, values)
        file.endWriteStruct()
    file.release()
    return folder / "rig.json"


def in_files_apart(folder: Path) -> Path:
    """Intrinsics of all cameras in one file, extrinsics in another."""
    inner = {f"cam{k}": {"camera_matrix": K[k].tolist(), "dist_coeff": DIST[k].tolist()} for k in range(2)}
    outer = {f"cam{k}": {"R": R[k].tolist(), "t": T[k].tolist()} for k in range(2)}
    (folder / "intrinsics.json").write_text(json.dumps(inner))
    (folder / "extrinsics.json").write_text(json.dumps(outer))
    return folder


def in_sections(folder: Path) -> Path:
    cameras = {
        f"cam{k}": {
            "intrinsics": {
                "fx": K[k][0, 0],
                "fy": K[k][1, 1],
                "cx": K[k][0, 2],
                "cy": K[k][1, 2],
                **dict(zip(("k1", "k2", "p1", "p2"), DIST[k].tolist(), strict=True)),
            },
            "extrinsics": {
                "rotation": dict(zip("wxyz", quaternion(R[k]).tolist(), strict=True)),
                "translation": T[k].tolist(),
            },
        }
        for k in range(2)
    }
    (folder / "rig.json").write_text(json.dumps(cameras))
    return folder / "rig.json"


def in_named_transformations(folder: Path) -> Path:
    """`T_world_cam0` goes from the camera to the world."""
    values = {f"K_cam{k}": K[k] for k in range(2)} | {f"dist_cam{k}": DIST[k] for k in range(2)}
    np.savez(
        folder / "rig.npz",
        **values,  # pyright: ignore[reportArgumentType]
        T_cam0_world=transformation(0),
        T_world_cam1=np.linalg.inv(transformation(1)),
    )
    return folder / "rig.npz"


def in_folders(folder: Path) -> Path:
    for k in range(2):
        (folder / f"cam{k}").mkdir()
        for name, values in (("intrinsics", K[k]), ("distortion", DIST[k]), ("extrinsics", transformation(k))):
            (folder / f"cam{k}" / f"{name}.txt").write_text(rows(values))
    return folder


def in_one_text(folder: Path) -> Path:
    """Values below their cameras' names; numbers in rows, in brackets and one by one."""
    first = f"Camera cam0\nIntrinsic matrix:\n{rows(K[0])}\nDistortion coefficients: {rows(DIST[0])}\n"
    first += f"Rotation matrix:\n{rows(R[0])}\nTranslation vector:\n{rows(T[0][:, None])}\n\n"
    numbers = zip(("fx", "fy", "cx", "cy"), K[1][[0, 1, 0, 1], [0, 1, 2, 2]], strict=True)
    second = "[cam1]\n" + "".join(f"{name} = {value}\n" for name, value in numbers)
    second += f"dist = {DIST[1].tolist()}\nR = {R[1].tolist()}\nt = {T[1].tolist()}\n"
    (folder / "rig.txt").write_text(first + second)
    return folder / "rig.txt"


def in_kittis_text(folder: Path) -> Path:
    named = (("K", K), ("D", DIST), ("R", R), ("T", T))
    lines = [f"{name}_cam{k}: {rows(values[k].ravel())}\n" for k in range(2) for name, values in named]
    (folder / "calib_cam_to_cam.txt").write_text("calib_time: 09-Jan-2012 13:57:47\n" + "".join(lines))
    return folder / "calib_cam_to_cam.txt"


FILES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    f.__name__: (form, f)
    for form, f in (
        *(("opencv", f) for f in (in_opencv_json, in_opencv_json_list, in_opencv_yaml_files, in_npz_stacks)),
        *(("opencv", f) for f in (in_npz_suffixes, in_extrinsic_matrices, in_projection_matrices)),
        *(("opencv", f) for f in (in_filestorage_json, in_files_apart, in_sections, in_named_transformations)),
        *(("text", f) for f in (in_headed_text, in_bare_text, in_folders, in_one_text, in_kittis_text)),
        *(("toml", f) for f in (in_anipose_toml, in_caliscope_toml)),
        *(("colmap", f) for f in (in_colmap_text, in_colmap_binary)),
        ("easymocap", in_easymocap),
        ("nerfstudio", in_nerfstudio),
    )
}
