"""From records to batches: decoding, preprocessing, augmentation, training and evaluation batches."""
