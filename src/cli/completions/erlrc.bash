# Completions of erlrc for bash. The program itself says what may come next.
_erlrc() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word candidate sign cut=0
    read -ra words <<<"$line"
    case $line in *[[:blank:]]) words+=("") ;; esac
    word=${words[${#words[@]} - 1]}
    # What bash takes for words of their own is not to be repeated.
    for sign in = @ :; do
        if [[ $COMP_WORDBREAKS == *"$sign"* && $word == *"$sign"* ]]; then
            line=${word%"$sign"*}$sign
            if ((${#line} > cut)); then cut=${#line}; fi
        fi
    done
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("${candidate:cut}")
    done < <(erlrc complete "${words[@]}" 2>/dev/null)
}
complete -o default -F _erlrc erlrc @NAMES@
