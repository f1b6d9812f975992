"""Settings of short runs of detection on the scenes of their tests."""

NAMES = ['red', 'green', 'blue', 'yellow', 'cyan']
OPTION = {'backbone': 'resnet18', 'widen': 0.25, 'keep': 20}
RCNN_OPTION = {
    **OPTION, 'use_global_stats': False, 'pyramid_channels': 16, 'head_channels': 32, 'region_channels': 16,
    'proposals': 40, 'training_proposals': 60, 'samples': 16, 'anchor_sizes': [8, 16, 24, 32, 40],
}  # fmt: skip
MASK_RCNN_OPTION = {**RCNN_OPTION, 'mask_channels': 16}
POINTS = {
    'centernet': {**OPTION, 'dilated': True, 'up_channels': [32, 32, 32], 'head_channels': 16},
    'yolo3': {
        **OPTION, 'head_channels': [96, 64, 48],
        'anchor_sizes': [5, 5, 5, 12, 12, 5, 8, 8, 8, 18, 18, 8, 12, 12, 12, 28, 28, 12],
    },
}  # fmt: skip
"""Further detectors with their options."""


def settings(data, output, **changes):
    return {
        'task': 'detection', 'network': 'ssd_300', 'option': OPTION, 'data_train': str(data / 'train.rec'),
        'data_val': str(data / 'val.rec'), 'output': str(output), 'image_size': 32, 'batch_size': 8, 'epochs': 2,
        'log_interval': 3, 'lr': 0.001, 'optimizer': 'adamw', 'workers': 1, **changes,
    }  # fmt: skip
