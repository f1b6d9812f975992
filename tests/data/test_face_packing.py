"""Alignment of faces and packing of identity folders."""

import json

import cv2
import numpy as np
import pytest
from checks import assert_one_line
from mxnet import recordio

from gluon_cbam.common.errors import DataError, EnvironmentProblem, UsageError
from gluon_cbam.data.faces import detection
from gluon_cbam.data.faces.alignment import align, is_mirrored, reference_points, similarity_transform
from gluon_cbam.data.faces.detection import most_central
from gluon_cbam.data.faces.landmarks import landmarks_of
from gluon_cbam.data.faces.packing import FaceFormat, pack_faces

INSIGHTFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)  # arcface_dst of its face_align.py, for 112 x 112


def least_squares(source, target):
    """The similarity transform by the normal equations: x' = a x - b y + c, y' = b x + a y + d."""
    rows = [row for x, y in source for row in ([x, -y, 1, 0], [y, x, 0, 1])]
    a, b, c, d = np.linalg.lstsq(np.array(rows), np.asarray(target).ravel(), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


@pytest.mark.parametrize('seed', range(20))
def test_the_transform_is_the_least_squares_one(seed):
    random = np.random.RandomState(seed)
    source = random.uniform(0, 200, (5, 2)) if seed % 2 else INSIGHTFACE * 2 + random.normal(0, 6, (5, 2))
    target = INSIGHTFACE
    assert np.allclose(similarity_transform(source, target), least_squares(source, target), rtol=1e-9, atol=1e-9)


def test_a_known_rotation_scale_and_shift_are_found():
    angle, scale, shift = 2.5, 0.3, np.array([7.0, -3.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity_transform(INSIGHTFACE, INSIGHTFACE @ turn.T + shift)
    assert np.allclose(matrix, np.column_stack([turn, shift]), atol=1e-12)


def test_reference_points_of_both_sizes():
    assert np.allclose(reference_points(112, 112), INSIGHTFACE)
    assert np.allclose(reference_points(96, 112), INSIGHTFACE - [8, 0])
    with pytest.raises(UsageError, match='112x112 or 96x112 pixels .*, not 112x96'):
        reference_points(112, 96)


@pytest.mark.parametrize(
    ('points', 'message'),
    [(np.full((5, 2), 7.0), 'within one pixel'), (INSIGHTFACE / 112, 'within one pixel'),
     (np.full((5, 2), np.nan), 'not finite'), (INSIGHTFACE * 1e9, 'outside of every picture')],
)  # fmt: skip
def test_landmarks_that_give_no_transform(points, message):
    with pytest.raises(DataError, match=message):
        align(np.zeros((9, 9, 3), np.uint8), points)


COLORS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0], [0, 250, 250]])


def face(size=300, angle=0.4, scale=1.7, shift=(60.0, 20.0)):
    """A picture with a dot of another color at each landmark of a turned face, and the landmarks."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = INSIGHTFACE @ turn.T + shift
    pixels = np.full((size, size, 3), 60, np.uint8)
    for point, color in zip(points, COLORS.tolist()):
        cv2.circle(pixels, tuple(int(round(value)) for value in point), 6, color, -1)
    return pixels, points


@pytest.mark.parametrize(('width', 'height'), [(112, 112), (96, 112)])
@pytest.mark.parametrize(('angle', 'shift'), [(0.4, (60.0, 20.0)), (-0.2, (30.0, 40.0)), (0.0, (5.0, 6.0))])
def test_landmarks_come_to_the_reference_points(width, height, angle, shift):
    pixels, points = face(angle=angle, shift=shift)
    aligned = align(pixels, points, width, height)
    assert aligned.shape == (height, width, 3)
    for color, (x, y) in zip(COLORS, INSIGHTFACE - [(112 - width) / 2, 0]):
        rows, columns = np.nonzero(np.abs(aligned.astype(int) - color).max(axis=2) < 60)
        assert abs(columns.mean() - x) < 0.7
        assert abs(rows.mean() - y) < 0.7


def test_pixels_are_bilinear_and_black_outside():
    """Each pixel by the definition: the inverse of the transform, bilinear, 0 beyond the border."""
    random = np.random.RandomState(0)
    pixels = cv2.resize(random.randint(0, 256, (8, 8, 3), np.uint8), (120, 100), interpolation=cv2.INTER_CUBIC)
    points = INSIGHTFACE * 0.9 + random.normal(0, 2, (5, 2)) + [-20, 10]
    matrix = least_squares(points, INSIGHTFACE)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    columns, rows = np.meshgrid(np.arange(112), np.arange(112))
    x, y = np.tensordot(inverse, np.stack([columns, rows, np.ones((112, 112))]), 1)
    expected = np.zeros((112, 112, 3))
    for dx in (0, 1):
        for dy in (0, 1):
            left, top = np.floor(x).astype(int) + dx, np.floor(y).astype(int) + dy
            weight = (1 - np.abs(x - left)) * (1 - np.abs(y - top))
            inside = (left >= 0) & (left < 120) & (top >= 0) & (top < 100)
            values = pixels[np.clip(top, 0, 99), np.clip(left, 0, 119)] * inside[..., None]
            expected += weight[..., None] * values
    aligned = align(pixels, points)
    assert (aligned == 0).all(axis=2).any(), 'a part lies outside'
    assert np.abs(aligned - expected).max() < 6  # OpenCV rounds places to 1/32 of a pixel
    assert np.abs(aligned - expected).mean() < 0.6


def test_exchanged_sides_are_noticed():
    assert not is_mirrored(face()[1])
    assert is_mirrored(face()[1][[1, 0, 2, 4, 3]])


def test_the_largest_central_face_is_taken():
    """Area - 2 x squared distance of the centers, as insightface's align_dataset_mtcnn.py."""
    boxes = np.array([[0, 0, 40, 40], [80, 80, 30, 30], [150, 150, 45, 45]], float)
    assert most_central(boxes, 200, 200) == 1
    assert most_central(boxes * [1, 1, 4, 4], 200, 200) == 0


@pytest.fixture
def people(tmp_path):
    """Folders Ada, Bo and Cy with turned faces -> path in the folder -> landmarks; the last picture of Bo has none."""
    root, landmarks = tmp_path / 'people', {}
    for number, name in enumerate(['Bo/1.png', 'Ada/x y.png', 'Bo/2.jpg', 'Cy/1.png', 'Ada/2.png', 'Bo/none.png']):
        pixels, points = face(angle=0.1 * number - 0.2, shift=(50.0, 40.0))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / name), pixels[..., ::-1])
        if 'none' not in name:
            landmarks[name] = points
    (root / 'Ada' / 'notes.md').write_text('a note')
    return root, landmarks


def write_landmarks(root, landmarks, kind):
    """Write landmarks in a form; returns what to give as --landmarks."""
    if kind == 'txt':
        for name, points in landmarks.items():
            text = '\n'.join(f'{x} {y}' for x, y in points)
            (root / name).with_suffix('.txt').write_text(text + '\n')
        return 'txt'
    path = root.parent / f'points.{kind}'
    if kind == 'json':
        path.write_text(json.dumps({name: points.tolist() for name, points in landmarks.items()}))
    else:
        lines = [f'"{name}",' + ','.join(map(str, points.ravel())) for name, points in landmarks.items()]
        path.write_text('\n'.join(['path,' + ','.join(f'x{n},y{n}' for n in range(1, 6)), *lines]) + '\n')
    return path


def packed(path):
    """[(label, pixels)] of the pictures, by MXNet's reader."""
    reader = recordio.MXIndexedRecordIO(str(path.with_suffix('.idx')), str(path), 'r')
    header, _ = recordio.unpack(reader.read_idx(0))
    found = []
    for number in range(1, int(header.label[0])):
        picture, image = recordio.unpack(reader.read_idx(number))
        found.append((float(picture.label), cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]))
    return found


@pytest.mark.parametrize('kind', ['csv', 'json', 'txt'])
def test_packed_faces_are_aligned(people, tmp_path, cbam, kind):
    root, landmarks = people
    given = write_landmarks(root, landmarks, kind)
    process = cbam('data', 'faces', root, tmp_path / 'out', '--landmarks', given, '--png', '-j', '1', '--json')
    assert process.returncode == 0, process.stderr
    (done,) = json.loads(process.stdout)['sets']
    assert done['pictures'] == 5
    assert done['without_face'] == {str(root / 'Bo' / 'none.png'): 'no landmarks'}
    assert (tmp_path / 'out' / 'property').read_text() == '3,112,112\n'
    assert (tmp_path / 'out' / 'classes.txt').read_text() == 'Ada\nBo\nCy\n'
    found = packed(tmp_path / 'out' / 'train.rec')
    assert [label for label, _ in found] == [0, 0, 1, 1, 2]
    for (_, pixels), name in zip(found, ['Ada/2.png', 'Ada/x y.png', 'Bo/1.png', 'Bo/2.jpg', 'Cy/1.png']):
        picture = cv2.imread(str(root / name))[..., ::-1]
        expected = cv2.warpAffine(picture, least_squares(landmarks[name], INSIGHTFACE), (112, 112))
        assert np.abs(pixels.astype(int) - expected).mean() < 1
    check = cbam('data', 'check', tmp_path / 'out' / 'train.rec', '-j', '1')
    assert check.returncode == 0, check.stdout
    assert 'identities: 3, 1 / 2 / 2 (min / median / max) pictures each, 1 with one' in check.stdout


def test_the_text_names_what_is_left_out(people, tmp_path, cbam):
    root, landmarks = people
    (root / 'Cy' / 'bad.png').write_bytes(b'\x89PNG')
    landmarks['Cy/bad.png'] = landmarks['Cy/1.png']
    arguments = ['data', 'faces', root, tmp_path / 'out', '--landmarks', write_landmarks(root, landmarks, 'csv')]
    line = assert_one_line(cbam(*arguments, '-j', '1'), 4)
    assert '1 of 7 pictures cannot be packed' in line
    assert 'Cy/bad.png (a damaged image' in line
    assert not (tmp_path / 'out').exists()
    process = cbam(*arguments, '-j', '1', '--skip-bad', '--size', '96x112')
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[:3] == [
        f'{tmp_path}/out/train.rec: 5 pictures', 'left out: 1 without face', f'  {root}/Bo/none.png: no landmarks',
    ]  # fmt: skip
    assert lines[3] == 'left out: 1 bad'
    assert lines[4].startswith(f'  {root}/Cy/bad.png: a damaged image')
    assert 'left out: 1 file of another kind: Ada/notes.md' in process.stdout
    assert packed(tmp_path / 'out' / 'train.rec')[0][1].shape == (112, 96, 3)
    assert 'exists' in assert_one_line(cbam(*arguments), 2)


def test_aligned_pictures_keep_their_bytes(tmp_path):
    root = tmp_path / 'people'
    for name, size in (('Ada/1.jpg', 112), ('Bo/1.png', 112)):
        (root / name).parent.mkdir(parents=True)
        cv2.imwrite(str(root / name), face(size)[0])
    (done,) = pack_faces(root, tmp_path / 'out', form=FaceFormat(aligned=False))
    assert done.pictures == 2
    data = (tmp_path / 'out' / 'train.rec').read_bytes()
    assert (root / 'Ada' / '1.jpg').read_bytes() in data
    cv2.imwrite(str(root / 'Bo' / '2.png'), face(100)[0])
    with pytest.raises(DataError, match=r'2.png \(100 x 100 pixels instead of 112 x 112\)'):
        pack_faces(root, tmp_path / 'more', form=FaceFormat(aligned=False))


def test_exchanged_sides_are_refused(people, tmp_path):
    root, landmarks = people
    exchanged = {name: points[[1, 0, 2, 4, 3]] for name, points in landmarks.items()}
    with pytest.raises(DataError, match='left and right of the landmarks seem exchanged in 5 of 5 pictures'):
        pack_faces(root, tmp_path / 'out', str(write_landmarks(root, exchanged, 'csv')))
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('a.csv', 'path,x\n', 'it has no landmarks'),
        ('a.csv', 'a.png,1,2,3\n', 'a.csv: line 1: not ten numbers'),
        ('a.csv', 'a.png,1,2,3,4,5,6,7,8,9,nan\n', 'line 1: a coordinate is not finite'),
        ('a.csv', 'a.png' + ',1' * 10 + '\n./a.png' + ',1' * 10, 'line 2: a.png is given twice'),
        ('a.json', '[]', 'no mapping'),
        ('a.json', '{"a.png": [[1, 2], [3, 4]]}', 'the landmarks of a.png: not ten numbers'),
        ('a.json', '{"a.png": [true, 1, 1, 1, 1, 1, 1, 1, 1, 1]}', 'not ten numbers'),
        ('a.json', '{"a.png": {"x": 1}}', 'not ten numbers'),
    ],
)
def test_wrong_tables(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        landmarks_of(str(tmp_path / name), tmp_path)


def test_usage_errors(people, tmp_path):
    root, _ = people
    with pytest.raises(UsageError, match='give either --landmarks or --detector, or --no-align'):
        pack_faces(root, tmp_path / 'out')
    with pytest.raises(UsageError, match='give either'):
        pack_faces(root, tmp_path / 'out', 'txt', FaceFormat(aligned=False))
    with pytest.raises(UsageError, match="or 'txt' for a .txt beside each picture, not 'a.xml'"):
        pack_faces(root, tmp_path / 'out', 'a.xml')
    with pytest.raises(UsageError, match='no detector'):
        pack_faces(root, tmp_path / 'out', form=FaceFormat(detector=tmp_path / 'none.onnx'))
    with pytest.raises(DataError, match='none of 6 pictures is left, the first: no landmarks'):
        pack_faces(root, tmp_path / 'out', 'txt')


class FakeDetector:
    """What FaceDetectorYN of OpenCV gives: the color dots of a picture as landmarks, and a small face in the corner."""

    def __init__(self, path, config, size, threshold, *more):
        assert (config, threshold) == ('', 0.6)

    def setInputSize(self, size):  # noqa: N802
        self.size = size

    def detect(self, pixels):
        assert pixels.shape[1::-1] == self.size
        places = []
        for color in COLORS[:, ::-1]:  # BGR
            rows, columns = np.nonzero(np.abs(pixels.astype(int) - color).max(axis=2) < 60)
            if not len(rows):
                return 1, None
            places += [columns.mean(), rows.mean()]
        corner = [0, 0, 5, 5, *range(10), 0.99]
        return 1, np.array([corner, [100, 100, 100, 100, *places, 0.9]], np.float32)


def test_a_detector_finds_the_landmarks(people, tmp_path, monkeypatch):
    root, landmarks = people
    monkeypatch.setattr(detection.cv2, 'FaceDetectorYN', type('Create', (), {'create': FakeDetector}), raising=False)
    detection._detector.cache_clear()
    (tmp_path / 'yunet.onnx').write_bytes(b'')
    cv2.imwrite(str(root / 'Bo' / 'none.png'), np.zeros((50, 60, 3), np.uint8))
    form = FaceFormat(detector=tmp_path / 'yunet.onnx', quality=None)
    (done,) = pack_faces(root, tmp_path / 'out', form=form)
    detection._detector.cache_clear()
    assert done.without_face == {str(root / 'Bo' / 'none.png'): 'no face found'}
    (label, pixels), *_ = packed(tmp_path / 'out' / 'train.rec')
    picture = cv2.imread(str(root / 'Ada' / '2.png'))[..., ::-1]
    expected = cv2.warpAffine(picture, least_squares(landmarks['Ada/2.png'], INSIGHTFACE), (112, 112))
    assert np.abs(pixels.astype(int) - expected).mean() < 3


def test_another_network_is_no_detector(tmp_path, monkeypatch, people):
    (tmp_path / 'other.onnx').write_bytes(b'no network')
    form = FaceFormat(detector=tmp_path / 'other.onnx')
    with pytest.raises(DataError, match='other.onnx: OpenCV cannot run it as a detector .*OpenCV runs YuNet') as caught:
        pack_faces(people[0], tmp_path / 'out', form=form)
    assert '\n' not in str(caught.value)
    monkeypatch.delattr(detection.cv2, 'FaceDetectorYN')
    with pytest.raises(EnvironmentProblem, match='has no FaceDetectorYN: install'):
        pack_faces(people[0], tmp_path / 'out', form=form)


def yunet(path, size, cell, points):
    """A network with the outputs of YuNet for an input of 3 x size x size: one face, in a cell of stride 32.

    As OpenCV's face_detect.cpp reads them: center and landmarks are in strides from the cell, sizes are logarithms.
    """
    onnx = pytest.importorskip('onnx')
    make, floats = onnx.helper, onnx.TensorProto.FLOAT
    row, column = cell
    nodes = [
        make.make_node('ReduceMean', ['input'], ['mean'], keepdims=0),
        make.make_node('Mul', ['mean', 'zero'], ['no']),
    ]
    constants, outputs = [make.make_tensor('zero', floats, [], [0.0])], []
    for name, channels in (('cls', 1), ('obj', 1), ('bbox', 4), ('kps', 10)):
        for stride in (8, 16, 32):
            values = np.zeros((1, (size // stride) ** 2, channels), np.float32)
            if stride == 32:
                place = row * (size // stride) + column
                values[0, place] = {
                    'cls': 1, 'obj': 1, 'bbox': [0.5, 0.5, np.log(2), np.log(2)],
                    'kps': (np.asarray(points) / 32 - [column, row]).ravel(),
                }[name]  # fmt: skip
            full = f'{name}_{stride}'
            constants.append(make.make_tensor(f'{full}_values', floats, values.shape, values.ravel()))
            nodes.append(make.make_node('Add', [f'{full}_values', 'no'], [full]))
            outputs.append(make.make_tensor_value_info(full, floats, values.shape))
    inputs = [make.make_tensor_value_info('input', floats, [1, 3, size, size])]
    graph = make.make_graph(nodes, 'yunet', inputs, outputs, constants)
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid('', 13)], ir_version=8), str(path))


def test_opencv_runs_a_network_with_the_outputs_of_yunet(tmp_path):
    points = [[40, 50], [70, 52], [55, 66], [45, 80], [68, 81]]
    yunet(tmp_path / 'yunet.onnx', 128, (2, 1), points)
    detection._detector.cache_clear()
    found = detection.detect(np.full((128, 128, 3), 90, np.uint8), tmp_path / 'yunet.onnx', 0.6)
    detection._detector.cache_clear()
    assert np.allclose(found, points, atol=1e-3)


def test_splits_become_sets_of_their_own(people, tmp_path):
    """A validation split has a folder, with a property of its own; both number the identities alike."""
    root, landmarks = people
    split = tmp_path / 'split'
    for name, where in (('train', 'Bo/1.png'), ('train', 'Ada/2.png'), ('val', 'Bo/2.jpg')):
        (split / name / where).parent.mkdir(parents=True)
        (root / where).rename(split / name / where)
    (split / 'val' / 'Ada').mkdir()
    points = {f'{name}/{where}': landmarks[where] for name in ('train', 'val') for where in landmarks}
    done = pack_faces(split, tmp_path / 'out', str(write_landmarks(split, points, 'json')))
    assert [each.path for each in done] == [tmp_path / 'out' / 'train.rec', tmp_path / 'out' / 'val' / 'val.rec']
    assert [label for label, _ in packed(done[0].path)] == [0, 1]
    assert [label for label, _ in packed(done[1].path)] == [1]
    assert (tmp_path / 'out' / 'val' / 'property').read_text() == '2,112,112\n'
    assert [entry['label'] for entry in done.empty_of(done[1].path)] == ['Ada']
