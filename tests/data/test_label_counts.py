"""Records with several labels are refused where one is needed, unless it is chosen; one in an array is one."""

import json
import shutil

import mxnet as mx
import numpy as np
import pytest
from click.testing import CliRunner
from records import photo_of

from gluon_cbam.cli.main import cli
from gluon_cbam.common.errors import DataError, UsageError
from gluon_cbam.data.records.checking import check_files
from gluon_cbam.data.records.recordio import RecordFile
from gluon_cbam.data.records.statistics import statistics
from gluon_cbam.data.sources.image_files import ImageFile
from gluon_cbam.data.sources.images import open_files
from gluon_cbam.tasks import get_task
from gluon_cbam.tasks.base import Task
from gluon_cbam.training import TrainConfig
from gluon_cbam.training.config.task_settings import task_of

NETWORK = ['--network', 'cbamnet_tiny', '--image-size', '16', '--classes', '3']


def write(path, labels):
    """Records as MXNet's im2rec writes them: a list of labels is an array, also of length 1."""
    writer = mx.recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for number, label in enumerate(labels):
        writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, label, number, 0), photo_of(number)))
    writer.close()
    return path


@pytest.fixture
def several(tmp_path):
    return write(tmp_path / 'several.rec', [1.0, [2.0], [0.0, 1.0, 7.5], [2.0, 0.0, 1.0], [1.0, 2.0]])


def test_every_label_of_a_record_can_be_read(several):
    records = RecordFile(several)
    assert records.label_counts.tolist() == [1, 1, 3, 3, 2]
    assert records.labels.tolist() == [1, 2, 0, 2, 1]
    assert [records.labels_of(number).tolist() for number in range(5)] == [[1], [2], [0, 1, 7.5], [2, 0, 1], [1, 2]]
    assert RecordFile(several, label_index=1).labels[2:].tolist() == [1, 0, 2]


def test_label_arrays_that_the_scan_must_find_in_large_and_split_records(tmp_path):
    """Images with the magic number are stored in parts."""
    magic = np.array([0xCED7230A], '<u4').tobytes()
    path, images = tmp_path / 'a.rec', [magic * 2, b'', b'x', bytes(100_000), photo_of(1)]
    writer = mx.recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'w')
    for number in range(50):
        header = mx.recordio.IRHeader(0, [1.0] * (number % 7) + [float(number), 3.0], number, 0)
        writer.write_idx(number, mx.recordio.pack(header, images[number % 5]))
    writer.close()
    records = RecordFile(path, label_index=1)
    assert records.label_counts.tolist() == [number % 7 + 2 for number in range(50)]
    expected = [[1.0] * (number % 7) + [float(number), 3.0] for number in range(50)]
    assert records.labels.tolist() == [labels[1] for labels in expected]
    assert [records.labels_of(number).tolist() for number in range(50)] == expected


def test_a_label_far_behind_in_a_record(tmp_path):
    path = write(tmp_path / 'long.rec', [np.arange(5000.0) + number for number in range(3)])
    assert RecordFile(path, label_index=4999).labels.tolist() == [4999, 5000, 5001]


def test_the_task_refuses_several_labels_and_takes_the_chosen_one(tmp_path, several):
    task = get_task()
    for call in (lambda: task.open_training(several, 3), lambda: task.open_validation(several, 3),
                 lambda: task.sample_images(several, 2)):  # fmt: skip
        with pytest.raises(DataError, match=r'record 2 at offset \d+ has 3 labels \(3 of 5 records\): choose one with'):
            call()
    with pytest.raises(DataError, match=r'record 2 at offset \d+ has 3 labels'):
        RecordFile(several).check_labels(3)
    with pytest.raises(DataError, match=r'record 0 at offset 0 has 1 label \(2 of 5 records\): --label-index 1'):
        task.with_label_index(1).open_training(several, 3)
    assert task.with_label_index(0).open_training(several, 3).labels.tolist() == [1, 2, 0, 2, 1]
    triples = write(tmp_path / 'triples.rec', [[9.0, 0.0, 1.5], [9.0, 2.0, 1.5]])
    assert task.with_label_index(1).open_training(triples, 3).labels.tolist() == [0, 2]
    with pytest.raises(DataError, match='has label 1.5, not a class'):
        task.with_label_index(2).open_training(triples, 3)
    assert len(task.with_label_index(1).sample_images(triples, 2)) == 2
    assert task.label_index is None, 'the task that others share is unchanged'


def test_a_run_keeps_its_label(several):
    assert task_of({'label_index': 2}).label_index == 2
    assert task_of({}).label_index is None
    config = TrainConfig(network='cbamnet_tiny', data_train=str(several), label_index=1)
    assert config.differences({'label_index': 0}) == ['--label-index 1 (was 0)']
    with pytest.raises(UsageError, match='label to choose'):
        Task.with_label_index(get_task(), 1)


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_commands_refuse_them_with_exit_code_4(several, tmp_path):
    output = tmp_path / 'out'
    commands = (
        ['train', *NETWORK, '--data-train', several, '-j', '1', '--output', output],
        ['validate', *NETWORK, '--data-val', several, '-j', '1'],
        ['export', *NETWORK, '--data-val', several, '-o', output / 'x.onnx'],
        ['export', *NETWORK, '--format', 'onnx-int8', '--calibration', several, '-o', output / 'x.onnx'],
    )
    for command in commands:
        result = run(*command)
        assert result.exit_code == 4, (command, result.output)
        assert 'has 3 labels (3 of 5 records)' in result.output
    assert not output.exists()
    result = run('validate', *NETWORK, '--data-val', several, '-j', '1', '--label-index', 0, '--json')
    assert result.exit_code == 0, result.output
    for command in (['validate', *NETWORK, '--data-val'], ['data', 'check'], ['data', 'stats']):
        result = run(*command, several, '--label-index', -1)
        assert result.exit_code == 2
        assert '--label-index' in result.output


def test_the_true_class_of_an_image_is_its_only_or_its_chosen_label(several):
    def labels(**options):
        return [image.labels for image in open_files([ImageFile(str(several))], **options)]

    assert labels() == [(1,), (2,), (), (), ()]
    assert labels(label_index=0) == [(1,), (2,), (0,), (2,), (1,)]
    (image,) = open_files([ImageFile(str(several))], label_index=1)
    with pytest.raises(DataError, match='record 0 at offset 0 has 1 label'):
        image.decode()


def test_the_check_says_how_many_labels(several):
    report = check_files([several]).files[0]
    assert (report.counts, report.label_counts) == ({}, {1: 2, 2: 1, 3: 2})
    assert report.unfit == f'record 2 at offset {RecordFile(several).offset(2)} has 3 labels (3 of 5 records)'
    result = run('data', 'check', several, '-j', '1')
    assert result.exit_code == 4
    assert ': ok' not in result.output
    assert 'wrong' not in result.output
    assert 'labels: 2 records have 1, 1 records have 2, 2 records have 3' in result.output
    assert run('data', 'check', several, '-j', '1', '--label-index', 0).exit_code == 0
    assert run('data', 'check', several, '-j', '1', '--all-labels').exit_code == 0
    value = json.loads(run('data', 'check', several, '--no-decode', '--json').output)
    assert (value['ok'], value['files'][0]['label_counts']) == (False, {'1': 2, '2': 1, '3': 2})


@pytest.mark.parametrize(('label', 'shown'), [(0.5, '0.5'), (-1.0, '-1'), (4e9, '4e+09'), (2.0**24, '1.67772e+07')])
def test_the_check_names_a_record_whose_label_is_no_class(tmp_path, label, shown):
    path = write(tmp_path / 'a.rec', [0.0, 1.0, label])
    result = run('data', 'check', path, '-j', '1')
    assert result.exit_code == 4
    assert f'record 2 at offset {RecordFile(path).offset(2)} has label {shown}, not a class' in result.output
    assert run('data', 'check', path, '-j', '1', '--all-labels').exit_code == 0
    assert statistics(path)['unfit'] == f'record 2 has label {shown}, not a class'


def test_statistics_count_the_chosen_label(several, tmp_path):
    found = statistics(several)
    assert (found['classes'], found['label_counts']) == (None, {1: 2, 2: 1, 3: 2})
    assert found['unfit'] == 'record 2 has 3 labels'
    assert statistics(several, label_index=0)['classes']['images'] == [1, 2, 2]
    assert statistics(several, sample=2, label_index=0)['classes']['images'] == [1, 2, 2]
    ones = write(tmp_path / 'ones.rec', [[0.0], [1.0]])
    assert statistics(ones)['classes']['images'] == [1, 1]
    assert '3 labels' in run('data', 'stats', several, '-j', '1').output
    with pytest.raises(DataError, match=r'record 0 has 1 label \(5 of 5 records\): --label-index 3 is counted from 0$'):
        statistics(several, label_index=3)


@pytest.fixture
def pictures(tmp_path):
    for name in ('a.jpg', 'b c.jpg'):
        (tmp_path / name).write_bytes(photo_of(1))
    return tmp_path


def pack_list(folder, text, *arguments):
    (folder / 'x.lst').write_bytes(text.encode())
    shutil.rmtree(folder / 'out', ignore_errors=True)
    result = run('data', 'pack', folder / 'x.lst', folder / 'out', '-j', '1', *arguments)
    return result, folder / 'out' / 'x.rec'


@pytest.mark.parametrize('label', ['nan', 'inf', '1e999', '-1', '4e9', '4294967295', '16777216', '0.5', '-0.1', '1_0'])
@pytest.mark.parametrize('form', ['0\t0\ta.jpg\r\n1\t{}\tb c.jpg\r\n', 'a.jpg 0\nb c.jpg {}\n'])
def test_a_label_of_a_list_that_is_no_class(pictures, label, form):
    result, path = pack_list(pictures, form.format(label))
    assert result.exit_code == 4, result.output
    assert 'x.lst: line 2' in result.output
    assert label in result.output
    assert not path.exists()
    assert run('data', 'list', pictures / 'x.lst', pictures / 'y').exit_code == 4


def test_labels_that_are_classes(pictures):
    result, path = pack_list(pictures, '\ufeff0\t16777215\ta.jpg\r\n\n1\t 1.0 \tb c.jpg\n')
    assert result.exit_code == 0, result.output
    assert RecordFile(path).labels.tolist() == [16777215, 1]


def test_a_list_with_several_labels(pictures):
    text = '0\t0.5\t7\ta.jpg\n1\t-1\t3\tb c.jpg\n'
    result, path = pack_list(pictures, text)
    assert result.exit_code == 4
    assert 'x.lst: line 1: 2 labels: choose one with --label-index K' in result.output
    result, path = pack_list(pictures, text, '--label-index', 1)
    assert result.exit_code == 0, result.output
    assert (RecordFile(path).labels.tolist(), RecordFile(path).label_counts.tolist()) == ([7, 3], [1, 1])
    assert 'line 1: 2 labels: --label-index 2' in pack_list(pictures, text, '--label-index', 2)[0].output
    assert pack_list(pictures, text.replace('-1', '3e38'), '--pack-label')[0].exit_code == 0
    result, path = pack_list(pictures, text, '--pack-label')
    assert result.exit_code == 0, result.output
    assert [RecordFile(path).labels_of(number).tolist() for number in (0, 1)] == [[0.5, 7], [-1, 3]]
    assert not (pictures / 'out' / 'classes.txt').exists()
    for bad in ('nan', '1e39'):
        result, _ = pack_list(pictures, text.replace('-1', bad), '--all-labels')
        assert result.exit_code == 4
        assert f"line 2: the label '{bad}' is no finite number of float32" in result.output
    assert run('data', 'pack', pictures / 'x.lst', pictures, '--label-index', 0, '--all-labels').exit_code == 2


def test_labels_of_class_folders_are_not_chosen(pictures, tmp_path):
    folder = tmp_path / 'images' / 'cat'
    folder.mkdir(parents=True)
    (folder / 'a.jpg').write_bytes(photo_of(1))
    for option in (['--label-index', 0], ['--all-labels']):
        result = run('data', 'pack', tmp_path / 'images', tmp_path / 'out', *option)
        assert result.exit_code == 2
        assert f'leave out {option[0]}' in result.output
