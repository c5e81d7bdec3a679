"""Names that Mitsuba 3.9 gives to scene parameters; the only place to change when it renames them."""


def hand_id(hand: int) -> str:
    """The id of a hand's mesh in a scene; its parameters start with it."""
    return f"hand{hand}"


def positions(hand: int) -> str:
    return f"{hand_id(hand)}.vertex_positions"


def normals(hand: int) -> str:
    return f"{hand_id(hand)}.vertex_normals"


def texture(hand: int) -> str:
    """The bitmap behind the two-sided diffuse material."""
    return f"{hand_id(hand)}.bsdf.brdf_0.reflectance.data"


def is_flat(key: str) -> bool:
    """Whether a parameter is a flat array in Mitsuba, not a tensor."""
    return key.endswith((".vertex_positions", ".vertex_normals"))


ENVIRONMENT_ID = "environment"
ENVIRONMENT = f"{ENVIRONMENT_ID}.data"

#: The same arrays as keys of a mesh on its own, outside a scene.
MESH_FACES, MESH_TEXCOORDS = "faces", "vertex_texcoords"
