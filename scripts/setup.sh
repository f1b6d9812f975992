# Sourced by the other scripts: creates .venv once, and installs the project with its test requirements into it.
#
#   PYTHON=python3.9   the Python for .venv (default: python3)
#   EXTRA=cu117        the mxnet to install (default: cpu)
#   NUMPY=1            a major version of numpy (default: the newest that the Python has)
#
# Sets root, the folder of the project, and bin, the folder of the programs in .venv.

set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
bin=$venv/bin
stamp=$venv/.installed
supported_pythons='3.14 3.13 3.12 3.11 3.10 3.9 3.8'

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 3
}

supported() { # a version such as 3.11
    [[ " $supported_pythons " == *" $1 "* ]]
}

version() { # of a Python
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

find_python() { # the path of a version such as 3.12; nothing if it is not installed
    local candidate
    for candidate in "$bin/python" "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if [ "$(version "$candidate" 2>/dev/null)" = "$1" ]; then
            type -P "$candidate"
            return
        fi
    done
}

advice() { # what to do without a usable Python
    local number found=
    for number in $supported_pythons; do
        found=$(find_python "$number")
        if [ -n "$found" ]; then
            echo "PYTHON=$found is Python $number"
            return
        fi
    done
    echo 'install Python 3.8 to 3.14 and set PYTHON, for instance PYTHON=python3.13'
}

choose_python() {
    local said
    python=${PYTHON:-python3}
    if ! said=$(version "$python" 2>&1); then # a shim of a version manager exists, and does not run
        [ -n "$(type -P "$python")" ] || fail "there is no $python: $(advice)"
        fail "$python is $(type -P "$python"), which does not run ($(head -n 1 <<<"$said")): $(advice)"
    fi
    supported "$said" || fail "$python is Python $said and mxnet 1.9.1 runs on 3.8 to 3.14: $(advice)"
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
    local numpy=${NUMPY:-} verify=()
    pip=("$bin/python" -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" --upgrade 'pip>=23'
    # cbam setup compiles the operators, with the headers of the mxnet that it installs
    CXX=/no/compiler "${pip[@]}" --editable "$root[test]" ${numpy:+"numpy==$numpy.*"}
    # opencv-python needs libGL, which a server may lack; the headless build is the same module without it
    "$bin/python" -c 'import cv2' 2>/dev/null || "${pip[@]}" --force-reinstall --no-deps "opencv-python-headless$(opencv_version)"
    # nothing runs without a driver, but everything can be installed, for instance into a container
    [ "${EXTRA:-cpu}" = cpu ] || verify=(--no-verify)
    "$bin/cbam" setup "${EXTRA:-cpu}" ${verify[@]+"${verify[@]}"}
}

opencv_version() { # of the opencv-python that is installed, as a requirement
    "$bin/python" -c 'from importlib.metadata import version; print("==" + version("opencv-python"))'
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
wanted="${EXTRA:-cpu} ${NUMPY:-} $(cat "${described[@]}" | cksum) $root"
"$bin/python" -m pip --version >/dev/null 2>&1 || make_venv
check_venv
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "installing into $venv"
    install
    echo "$wanted" >"$stamp"
fi
