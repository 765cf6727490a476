{application, site, [
    {description, "A web site on a third-party application"},
    {vsn, "VSN"},
    {modules, [site_app, site_mochiweb, site_inets]},
    {registered, [site_sup]},
    {applications, [kernel, stdlib]},
    {mod, {site_app, []}},
    {env, [{port_file, undefined}, {server, mochiweb}]}
]}.
