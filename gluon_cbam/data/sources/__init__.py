"""Where images come from: folders, tar files, lists and label files; images and videos to predict."""
