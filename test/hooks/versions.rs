//! Pairs of versions of an application, drawn at random and compiled.

use crate::host::Host;
use crate::host::fixtures::{compile_library, erlc_into};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What is drawn.
pub struct Draw(pub u32);

impl Draw {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % end
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let end = u32::try_from(values.len()).unwrap();
        values[self.below(end) as usize]
    }
}

/// One version: the parts of an application, as they were drawn.
#[derive(Clone, Debug)]
pub struct Version {
    /// What the supervisor does before it answers, and how often a child may fail.
    effect: &'static str,
    intensity: u32,
    /// How many of each the supervisor has.
    servers: u32,
    special: bool,
    /// The module of the special process.
    worker: &'static str,
    /// Whether all children are of one kind that is started at run time.
    simple: bool,
    /// The record of the servers, and what becomes of it.
    fields: &'static str,
    change: &'static str,
    /// What else differs: bodies of functions.
    server: u32,
    machine: u32,
    process: u32,
    library: Option<u32>,
    pub appup: Option<&'static str>,
    /// The module with native functions and its library.
    pub native: Option<Native>,
    /// The default of the key `limit`, and the value that it had when the code was compiled.
    limit: u32,
    pub compiled: Option<u32>,
    /// What is in the table of the keeper, as its module makes it, and what becomes of that.
    pub rows: Option<Rows>,
}

/// A module that loads a library when it is loaded itself.
#[derive(Clone, Copy, Debug)]
pub struct Native {
    module: u32,
    pub library: u32,
    /// Its upgrade callback; the loader refuses a library that has none.
    pub upgrade: &'static str,
}

/// A record, and rows of a table.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    fields: &'static str,
    made: &'static str,
    change: &'static str,
}

const KEEPS: &str = "code_change(_, S, _) -> {ok, S}.";
const ADDS: &str =
    "code_change(_, {state, A}, _) -> {ok, {state, A, 0}}; code_change(_, S, _) -> {ok, S}.";
const FAILS: &str = "code_change(_, {state, A}, _) when A =/= undefined -> {ok, {state, A, 0}}.";

pub fn drawn(draw: &mut Draw) -> (Version, Version) {
    let old = Version {
        effect: draw.one_of(&["", "", "", "_ = ets:new(APP, [named_table]),"]),
        intensity: 1,
        servers: 1 + draw.below(3),
        special: draw.below(2) == 0,
        worker: "process",
        simple: false,
        fields: "a",
        change: KEEPS,
        server: 0,
        machine: 0,
        process: 0,
        library: draw.one_of(&[None, Some(0), Some(0)]),
        appup: None,
        native: draw.one_of(&[None, Some(FIRST_NATIVE)]),
        limit: 1,
        compiled: None,
        rows: draw
            .one_of(&[
                None,
                Some("[]"),
                Some("[APP_rows:new()]"),
                Some("[{other, 1}]"),
            ])
            .map(|made| Rows {
                fields: "id = 1",
                made,
                change: KEEPS,
            }),
    };
    let (fields, change) = draw.one_of(&[
        ("a", KEEPS),
        ("a", KEEPS),
        ("a", ADDS),
        ("a, b", KEEPS),
        ("a, b = 0", ADDS),
        ("a, b", FAILS),
    ]);
    let new = Version {
        intensity: 1 + draw.below(2),
        fields,
        change,
        server: draw.below(2),
        machine: draw.below(2),
        process: draw.below(2),
        library: draw.one_of(&[None, Some(0), Some(1), Some(1)]),
        appup: draw.one_of(&[
            None,
            None,
            None,
            None,
            Some("[{load_module, APP_machine}, {load_module, APP_machine}]"),
            Some("[{update, APP_server, {advanced, []}}]"),
            Some("[{restart_application, APP}]"),
        ]),
        worker: draw.one_of(&["process", "process", "process", "worker"]),
        simple: draw.below(8) == 0,
        native: old.native.map(|_| Native {
            module: draw.below(2),
            library: draw.one_of(&[1, 2, 2]),
            upgrade: draw.one_of(&["upgrade", "upgrade", "NULL"]),
        }),
        limit: 1 + draw.below(2),
        compiled: draw.one_of(&[None, Some(1), Some(2)]),
        rows: old.rows.map(|rows| later_rows(draw, rows)),
        ..old.clone()
    };
    (old, new)
}

const FIRST_NATIVE: Native = Native {
    module: 0,
    library: 1,
    upgrade: "upgrade",
};
const CONVERTS: &str = "code_change(_, S, _) -> \
    _ = [ets:insert(APP_rows, {row, I, 0}) || {row, I} <- ets:tab2list(APP_rows)], {ok, S}.";

fn later_rows(draw: &mut Draw, rows: Rows) -> Rows {
    let (fields, change) = draw.one_of(&[
        ("id = 1", KEEPS),
        ("id = 1, more = 0", KEEPS),
        ("id = 1, more = 0", KEEPS),
        ("id = 1, more = 0", CONVERTS),
    ]);
    Rows {
        fields,
        change,
        ..rows
    }
}

impl Rows {
    /// The module of the record, and the keeper of a table of it.
    fn modules(&self) -> [(&'static str, String); 2] {
        let record = format!(
            "-export([new/0, id/1]).\n-record(row, {{{}}}).\nnew() -> #row{{}}.\n\
             id(#row{{id = I}}) -> I;\nid({{other, I}}) -> I.\n",
            self.fields
        );
        let keeper = format!(
            "-behaviour(gen_server).\n-export([start/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n\
             start() -> gen_server:start_link(APP_keeper, [], []).\n\
             init([]) -> T = ets:new(APP_rows, [named_table, public, {{keypos, 2}}]),\n\
             true = ets:insert(T, {}), {{ok, none}}.\nhandle_call(_, _, S) -> {{reply, S, S}}.\n\
             handle_cast(_, S) -> {{noreply, S}}.\n{}\n",
            self.made, self.change
        );
        [("rows", record), ("keeper", keeper)]
    }
}

impl Native {
    fn module(&self) -> (&'static str, String) {
        let text = format!(
            "-export([number/0, load/0, n/0]).\n-on_load(load/0).\n\
             load() -> erlang:load_nif(filename:join(code:priv_dir(APP), \"native\"), 0).\n\
             number() -> erlang:nif_error(not_loaded).\nn() -> {}.\n",
            self.module
        );
        ("native", text)
    }

    /// Compiles its library.
    fn build(&self, dir: &Path, app: &str) {
        let text = format!(
            "#include <erl_nif.h>\n\
             static ERL_NIF_TERM number(ErlNifEnv *e, int c, const ERL_NIF_TERM v[]) {{ return enif_make_int(e, {}); }}\n\
             static int upgrade(ErlNifEnv *e, void **p, void **o, ERL_NIF_TERM i) {{ return 0; }}\n\
             static ErlNifFunc functions[] = {{{{\"number\", 0, number}}}};\n\
             ERL_NIF_INIT({app}_native, functions, NULL, NULL, {}, NULL)\n",
            self.library, self.upgrade
        );
        fs::create_dir(dir.join("priv")).unwrap();
        fs::write(dir.join("native.c"), text).unwrap();
        compile_library(&dir.join("native.c"), &dir.join("priv/native.so"));
    }
}

impl Version {
    fn modules(&self) -> Vec<(&'static str, String)> {
        let mut children = String::new();
        let starts = (1..=self.servers).map(|n| format!("{{s{n}, APP_server}}"));
        let special = self.special.then(|| format!("{{p, APP_{}}}", self.worker));
        let keeper = self.rows.map(|_| "{k, APP_keeper}".to_owned());
        let machine = ["{m, APP_machine}".to_owned()];
        for start in starts.chain(machine).chain(keeper).chain(special) {
            write!(children, "{start}, ").unwrap();
        }
        let children = children.trim_end_matches(", ");
        let sup = format!(
            "-behaviour(supervisor).\n-export([start/2, stop/1, init/1]).\n\
             start(_, _) -> supervisor:start_link({{local, APP_sup}}, APP_sup, []).\nstop(_) -> ok.\n\
             init([]) -> {} Children = [#{{id => I, start => {{M, start, []}}}} || {{I, M}} <- [{children}]],\n\
             {{ok, {{#{{intensity => {}{}}}, {}}}}}.\n",
            self.effect,
            self.intensity,
            if self.simple {
                ", strategy => simple_one_for_one"
            } else {
                ""
            },
            if self.simple {
                "[hd(Children)]"
            } else {
                "Children"
            },
        );
        let server = format!(
            "-behaviour(gen_server).\n-export([start/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n\
             -record(state, {{{}}}).\nstart() -> gen_server:start_link(APP_server, [], []).\n\
             init([]) -> {{ok, #state{{}}}}.\nhandle_call(_, _, #state{{a = A}} = S) -> {{reply, {{{}, A}}, S}}.\n\
             handle_cast(_, S) -> {{noreply, S}}.\n{}\n",
            self.fields, self.server, self.change
        );
        let machine = format!(
            "-behaviour(gen_statem).\n-export([start/0, init/1, callback_mode/0, on/3, code_change/4]).\n\
             start() -> gen_statem:start_link(APP_machine, [], []).\ncallback_mode() -> state_functions.\n\
             init([]) -> {{ok, on, {{}}}}.\non({{call, F}}, _, D) -> {{keep_state, D, {{reply, F, {}}}}}.\n\
             code_change(_, N, D, _) -> {{ok, N, D}}.\n",
            self.machine
        );
        let process = format!(
            "-export([start/0, init/1, loop/1, system_continue/3, system_terminate/4, system_code_change/4, n/0]).\n\
             start() -> proc_lib:start_link(APP_process, init, [self()]).\n\
             init(P) -> proc_lib:init_ack(P, {{ok, self()}}), loop(P).\n\
             loop(P) -> receive {{system, F, M}} -> sys:handle_system_msg(M, F, P, APP_process, [], {{P}}) end.\n\
             n() -> {}.\nsystem_continue(P, _, _) -> ?MODULE:loop(P).\nsystem_terminate(R, _, _, _) -> exit(R).\n\
             system_code_change(S, _, _, _) -> {{ok, S}}.\n",
            self.process
        )
        .replace("APP_process", &format!("APP_{}", self.worker));
        let library = |n| format!("-export([f/0]).\nf() -> {n}.\n");
        let library = self.library.map(|n| ("lib", library(n)));
        let always = [("sup", sup), ("server", server), ("machine", machine)];
        always
            .into_iter()
            .chain([(self.worker, process)])
            .chain(library)
            .chain(self.native.map(|native| native.module()))
            .chain(self.rows.iter().flat_map(Rows::modules))
            .collect()
    }

    /// Whether no script leads there, even if it is forced: a process lives in a module that goes, or the supervisor
    /// keeps its children in another way.
    pub fn is_out_of_reach(&self, old: &Self) -> bool {
        self.simple || (old.special && self.worker != old.worker)
    }

    /// Writes and compiles it; its directory.
    pub fn build(&self, host: &Host, app: &str, vsn: &str) -> String {
        let dir = host.path(&format!("{app}-{vsn}"));
        let ebin = dir.join("ebin");
        fs::create_dir_all(&ebin).unwrap();
        let (mut sources, mut names) = (vec!["+debug_info".to_owned()], Vec::new());
        for (name, body) in self.modules() {
            let name = format!("{app}_{name}");
            let source = dir.join(format!("{name}.erl"));
            let text = format!("-module({name}).\n{body}").replace("APP", app);
            fs::write(&source, text).unwrap();
            sources.push(source.display().to_string());
            names.push(name);
        }
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        erlc_into(&ebin, &sources);
        if let Some(native) = &self.native {
            native.build(&dir, app);
        }
        let compiled = self
            .compiled
            .map(|value| format!("{{compile_env, [{{{app}, [limit], {{ok, {value}}}}}]}}, "));
        let (compiled, limit) = (compiled.unwrap_or_default(), self.limit);
        let spec = format!(
            "{{application, {app}, [{{vsn, \"{vsn}\"}}, {{env, [{{limit, {limit}}}]}}, {compiled}{{modules, [{}]}}, {{registered, []}}, \
             {{applications, [kernel, stdlib]}}, {{mod, {{{app}_sup, []}}}}]}}.\n",
            names.join(", ")
        );
        fs::write(ebin.join(format!("{app}.app")), spec).unwrap();
        if let Some(script) = self.appup {
            let text = format!("{{\"{vsn}\", [{{\"1.0\", {script}}}], []}}.\n").replace("APP", app);
            fs::write(ebin.join(format!("{app}.appup")), text).unwrap();
        }
        dir.display().to_string()
    }
}
