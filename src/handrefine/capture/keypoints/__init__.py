"""2D hand keypoints as other tools write them, one file a tool."""
