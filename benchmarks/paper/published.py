"""What the paper reports: numbers on its own synthetic videos, for orientation beside ours."""

#: Mean vertex error in mm of DMVR with 16 cameras, from a start of 10 mm (Table 1, first row; Fig. 4).
DMVR_AT_16_CAMERAS_MM = 1.962
#: Table 1: 16 cameras, mean vertex error in mm.
ABLATION_MM = {"all": 1.962, "no temporal prior": 2.01, "no edges": 2.032, "neither": 2.41}
#: Texture PSNR of SMVR in dB, and the mean of DMVR's PSNR over SMVR's (Eq. 6).
SMVR_TEXTURE_DB, TEXTURE_RATIO = 29.0, 1.0384
