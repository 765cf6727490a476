#compdef erlrc @NAMES@
# Completions of erlrc for zsh. The program itself says what may come next.
_erlrc() {
    local -a candidates
    candidates=(${(f)"$(erlrc complete "${(@)words[1,CURRENT]}" 2>/dev/null)"})
    if (( ${#candidates} )); then
        compadd -a candidates
    else
        _files
    fi
}
if [ "${funcstack[1]}" = _erlrc ]; then
    _erlrc "$@"
else
    compdef _erlrc erlrc @NAMES@
fi
