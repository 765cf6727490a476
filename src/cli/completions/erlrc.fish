# Completions of erlrc for fish. The program itself says what may come next.
function __erlrc_complete
    erlrc complete (commandline --current-process --tokenize --cut-at-cursor) (commandline --cut-at-cursor --current-token) 2>/dev/null
end
for name in erlrc @NAMES@
    complete --command $name --arguments '(__erlrc_complete)'
end
