"""Export a network to ONNX, serve it over HTTP with the standard library, and send one request.

    python scripts/examples/export_and_serve.py photo.jpg --network cbam_resnet50
    python scripts/examples/export_and_serve.py     # a digit from the tests, and a network trained on digits

Needs pip install 'gluon_cbam[onnx]'. MXNet is needed for the export only, not by load_exported().
"""

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from gluon_cbam.common.errors import DataError
from gluon_cbam.data.decoding import decode
from gluon_cbam.export import load_exported
from gluon_cbam.export.exporter import export_network
from gluon_cbam.export.request import ExportRequest
from gluon_cbam.export.samples import sample_images
from gluon_cbam.inference.network import load_network

# isort: split
import mxnet as mx

SEVEN = Path(__file__).resolve().parents[2] / 'tests' / 'data' / 'seven.png'
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument('image', nargs='?', type=Path, default=SEVEN)
parser.add_argument('--network', default='cbamnet_tiny', help='with published weights: see cbam zoo list')
parser.add_argument('--output', type=Path, default=Path('model.onnx'))
parser.add_argument('--port', type=int, default=0, help='0 for a free port')
arguments = parser.parse_args()

# the same as 'cbam export --network cbamnet_tiny --pretrained --format onnx --preprocessing --output model.onnx'
loaded = load_network(arguments.network, [mx.cpu()], pretrained=True)
images = sample_images(loaded.preprocessing.image_size, files=[arguments.image])
report = export_network(ExportRequest(loaded, pixels=True), 'onnx', arguments.output, images)
print(f'{arguments.output} differs from MXNet by {report.difference.largest:.1e} on {arguments.image.name}')

model = load_exported(arguments.output)
names = model.class_names or [str(index) for index in range(model.classes)]


class Handler(BaseHTTPRequestHandler):
    """Answers a POST of an image with its three best classes."""

    def do_POST(self):  # noqa: N802 (http.server's name)
        image = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        try:
            logits = model(model.prepare(decode(image, 'the image'))[None])[0].astype(float)
        except DataError as error:
            self.answer(400, {'error': str(error)})
            return
        probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        best = np.argsort(-probabilities)[:3]
        self.answer(200, {'top': [{'label': names[index], 'probability': probabilities[index]} for index in best]})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(('127.0.0.1', arguments.port), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f'http://127.0.0.1:{server.server_port}/'
print(f'{model.engine} answers at {url}: curl --data-binary @{arguments.image.name} {url}')

# one request, as a client would send it
with urlopen(url, data=arguments.image.read_bytes()) as response:
    print(response.status, response.read().decode())
server.shutdown()
