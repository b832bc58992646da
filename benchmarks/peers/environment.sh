# Makes and enters the virtual environment of a peer; its `run` sources this file.
#
#   enter_environment NAME [--set-up]
#
# The environment is $XDG_CACHE_HOME/lineside/peers/NAME-<hash of its lock> (~/.cache if unset):
# another lock has another environment. It is filled under another name, so one that is there is
# complete. PYTHON chooses the Python it is made with (python3.11 if unset).

enter_environment() {
    name=$1
    lock=$(dirname "${BASH_SOURCE[0]}")/$name/requirements.lock
    digest=$(sha256sum "$lock" | cut -c1-12)
    folder=${XDG_CACHE_HOME:-$HOME/.cache}/lineside/peers
    environment=$folder/$name-$digest
    if [[ ! -d $environment ]]; then
        if [[ ${2-} != --set-up ]]; then
            echo "$name has no environment yet: run it with --set-up first" >&2
            exit 1
        fi
        echo "setting up $environment (the first time only)" >&2
        mkdir -p "$folder"
        filling=$(mktemp -d "$folder/filling-$name-XXXXXX")
        trap 'rm -rf "$filling"' EXIT
        "${PYTHON:-python3.11}" -m venv "$filling"
        "$filling/bin/python" -m pip install --quiet --disable-pip-version-check \
            --require-hashes --requirement "$lock"
        # A script's first line has the folder's old name; modules are run with `python -m`.
        mv --no-target-directory "$filling" "$environment"
        trap - EXIT
    fi
    python=$environment/bin/python
    # What the Python peers share lies beside this file.
    PYTHONPATH=$(dirname "${BASH_SOURCE[0]}")${PYTHONPATH:+:$PYTHONPATH}
    export PYTHONPATH
}
