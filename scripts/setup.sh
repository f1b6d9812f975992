# Sourced by the other scripts: creates .venv once, and installs the project with its test requirements into it.
#
#   PYTHON=python3.9   the Python for .venv (default: python3)
#   EXTRA=cu117        the mxnet to install (default: cpu)
#
# Sets root, the folder of the project, and bin, the folder of the programs in .venv.

set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
bin=$venv/bin
stamp=$venv/.installed

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 3
}

supported() { # a version such as 3.11
    case $1 in
        3.8 | 3.9 | 3.10 | 3.11 | 3.12) ;;
        *) return 1 ;;
    esac
}

version() { # of a Python
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

choose_python() {
    python=${PYTHON:-python3}
    version "$python" >/dev/null 2>&1 || fail "$python does not run: install Python 3.8 to 3.12, or set PYTHON"
    supported "$(version "$python")" || fail "$python is Python $(version "$python") and mxnet 1.9.1 runs on 3.8 to 3.12:" \
        "install one of these and set PYTHON, for instance PYTHON=python3.11"
}

make_venv() {
    choose_python
    "$python" -m venv --clear "$venv" ||
        fail "$python cannot make a virtual environment: apt-get install python$(version "$python")-venv"
}

check_venv() {
    supported "$(version "$bin/python")" || fail "$venv is of Python $(version "$bin/python"), which mxnet 1.9.1 does not run on: remove it"
    [ -z "${PYTHON:-}" ] && return
    choose_python
    [ "$(version "$python")" = "$(version "$bin/python")" ] ||
        fail "$venv is of Python $(version "$bin/python"), PYTHON of $(version "$python"): remove $venv first"
}

install() {
    pip=("$bin/python" -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" --upgrade 'pip>=23'
    "${pip[@]}" --editable "$root[${EXTRA:-cpu},test]"
    # opencv-python needs libGL, which a server may lack; the headless build is the same module without it
    "$bin/python" -c 'import cv2' 2>/dev/null || "${pip[@]}" --force-reinstall --no-deps 'opencv-python-headless<4.12'
}

install_extra() { # the requirements of a further extra of setup.cfg, once: install_extra docs
    [ "$(cat "$stamp-$1" 2>/dev/null)" = "$wanted" ] && return
    echo "installing what '$1' needs into $venv"
    requirements "$1" | "$bin/python" -m pip install --quiet --disable-pip-version-check --requirement /dev/stdin
    echo "$wanted" >"$stamp-$1"
}

requirements() { # of an extra of setup.cfg, a line each; installing the project again would compile its operators again
    "$bin/python" -c 'import configparser, sys
config = configparser.ConfigParser()
config.read(sys.argv[1])
print(config["options.extras_require"][sys.argv[2]])' "$root/setup.cfg" "$1"
}

described=("$root"/{setup.cfg,setup.py,pyproject.toml,scripts/packaging/build_backend.py,gluon_cbam/ops/{build.py,native/*}})
wanted="${EXTRA:-cpu} $(cat "${described[@]}" | cksum) $root"
"$bin/python" -m pip --version >/dev/null 2>&1 || make_venv
check_venv
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "installing into $venv"
    install
    echo "$wanted" >"$stamp"
fi
