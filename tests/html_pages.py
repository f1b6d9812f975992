"""A check of HTML pages without a browser: structure, attributes, characters and tables."""

from html.entities import html5
from html.parser import HTMLParser

VOID = {'meta', 'img', 'br', 'link', 'hr', 'input'}
OPTIONAL_END = {'html', 'head', 'body', 'p', 'li', 'td', 'th', 'tr', 'thead', 'tbody'}
ENDS_PARAGRAPH = {'table', 'h1', 'h2', 'h3', 'p', 'div', 'ul', 'figure', 'section'}
PARENTS = {
    'tr': {'table', 'thead', 'tbody'}, 'td': {'tr'}, 'th': {'tr'}, 'thead': {'table'}, 'tbody': {'table'},
    'li': {'ul', 'ol'}, 'title': {'head', 'html'}, 'style': {'head', 'html'}, 'meta': {'head', 'html'},
}  # fmt: skip
ONLY_ROWS = {'table', 'thead', 'tbody', 'tr'}


class _Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.open, self.tables, self.titles, self.images = [], [], [], []
        self._seen = set()

    def handle_decl(self, declaration):
        assert declaration == 'DOCTYPE html' and not self.open

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), f'{tag} has an attribute twice: {names}'
        if tag in ENDS_PARAGRAPH and self.open and self.open[-1] == 'p':
            self.open.pop()
        for kin in ({'td', 'th'}, {'tr'}, {'thead', 'tbody'}):
            if tag in kin and self.open and self.open[-1] in kin | ({'td', 'th'} if tag == 'tr' else set()):
                self.open.pop()
        parent = self.open[-1] if self.open else None
        assert tag not in PARENTS or parent in PARENTS[tag], f'{tag} inside {parent}'
        assert parent not in ONLY_ROWS or tag in PARENTS and parent in PARENTS[tag], f'{tag} inside {parent}'
        if tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')
        elif tag == 'img':
            values = dict(attributes)
            assert values.get('alt') and values.get('src'), f'a picture without {values}'
            self.images.append(values['src'])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag not in VOID and tag in self.open, f'</{tag}> of nothing that is open: {self.open}'
        while self.open[-1] != tag:
            assert self.open.pop() in OPTIONAL_END, f'</{tag}> ends what is open: {self.open}'
        self.open.pop()

    def handle_data(self, data):
        inside = self.open[-1] if self.open else None
        if inside == 'style':
            return
        assert not set('&<>') & set(data), f'characters that are not escaped: {data!r}'
        assert inside not in (*ONLY_ROWS, None) or not data.strip(), f'text inside {inside}: {data!r}'
        self._add(data)

    def _add(self, text):
        if self.open and self.open[-1] == 'title':
            self.titles.append(text)
        elif self.open and self.open[-1] in ('td', 'th'):
            self.tables[-1][-1][-1] += text

    def handle_entityref(self, name):
        self._add(html5[f'{name};'])

    def handle_charref(self, name):
        self._add(chr(int(name[1:], 16) if name[0] in 'xX' else int(name)))


def checked_page(text):
    """The page of a text: ``tables`` (rows of cells), ``images`` (sources), ``titles``.

    Raises:
        AssertionError: it is no valid page.
    """
    assert text.startswith('<!DOCTYPE html>')
    page = _Page()
    page.feed(text)
    page.close()
    assert set(page.open) <= OPTIONAL_END, f'never closed: {page.open}'
    assert ''.join(page.titles).strip(), 'no title'
    for table in page.tables:
        assert len({len(row) for row in table}) == 1, f'rows of different lengths: {[len(row) for row in table]}'
    return page
