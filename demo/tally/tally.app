{application, tally, [
    {description, "Counts the requests of each connection"},
    {vsn, "VSN"},
    {modules, [tally_app, tally_sup, tally_listener, tally_connection]},
    {registered, [tally_sup, tally_listener, tally_connection_sup]},
    {applications, [kernel, stdlib]},
    {mod, {tally_app, []}},
    {env, [{port_file, undefined}]}
]}.
