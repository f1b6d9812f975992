"""Settings of short runs of detection on the scenes of their tests."""

NAMES = ['red', 'green', 'blue', 'yellow', 'cyan']
OPTION = {'backbone': 'resnet18', 'widen': 0.25, 'keep': 20}


def settings(data, output, **changes):
    return {
        'task': 'detection', 'network': 'ssd_300', 'option': OPTION, 'data_train': str(data / 'train.rec'),
        'data_val': str(data / 'val.rec'), 'output': str(output), 'image_size': 32, 'batch_size': 8, 'epochs': 2,
        'log_interval': 3, 'lr': 0.001, 'optimizer': 'adamw', 'workers': 1, **changes,
    }  # fmt: skip
