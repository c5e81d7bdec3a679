"""The YCB models (ycbbenchmarks.com), in whose terms DexYCB and HO-3D tell their objects."""

#: Where a model's mesh lies in the dataset's folder, and what to do where it does not.
MODEL = "models/{}/textured_simple.obj"
PUT_MODELS = "put YCB's folder `models` into the dataset's folder"
#: The models of YCB-Video, by their numbers there, which begin with 1.
YCB = (
    "002_master_chef_can", "003_cracker_box", "004_sugar_box", "005_tomato_soup_can", "006_mustard_bottle",
    "007_tuna_fish_can", "008_pudding_box", "009_gelatin_box", "010_potted_meat_can", "011_banana",
    "019_pitcher_base", "021_bleach_cleanser", "024_bowl", "025_mug", "035_power_drill", "036_wood_block",
    "037_scissors", "040_large_marker", "051_large_clamp", "052_extra_large_clamp", "061_foam_brick",
)  # fmt: skip
