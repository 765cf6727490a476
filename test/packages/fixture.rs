//! The applications of the rows, built by OTP's compiler: a server that counts requests, in any version.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a row says about an application: `APP VSN TRAIT...`.
#[derive(Clone, Debug)]
pub struct Fixture {
    pub app: String,
    pub vsn: String,
    traits: Vec<(String, String)>,
}

impl Fixture {
    /// Reads `APP VSN TRAIT...`, a trait being `NAME=VALUE`.
    pub fn parse(text: &str) -> Self {
        let mut words = text.split_whitespace().map(str::to_owned);
        let (app, vsn) = (
            words.next().expect("an application"),
            words.next().expect("a version"),
        );
        let traits = words
            .map(|word| {
                word.split_once('=')
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect::<Option<_>>()
            .expect("traits are NAME=VALUE");
        Self { app, vsn, traits }
    }

    /// All values of a trait.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.traits
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a trait.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.traits
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// What its server answers: the version, with the revision where there is one.
    fn answer(&self) -> String {
        match self.value("rev") {
            Some(revision) => format!("{}-{revision}", self.vsn),
            None => self.vsn.clone(),
        }
    }

    /// Compiles it into `directory`.
    pub fn build(&self, directory: &Path) {
        let (ebin, sources) = (directory.join("ebin"), directory.join("build"));
        fs::create_dir_all(&ebin).expect("a directory");
        fs::create_dir_all(&sources).expect("a directory");
        let mut modules = vec!["server", "lazy", "sup"];
        let mut macros = vec![format!("-DANSWER=\"{}\"", self.answer())];
        if self.vsn != "1.0" {
            macros.push("-DWITH_VSN".to_owned());
            macros.push(format!("-DVSN=\"{}\"", self.vsn));
        }
        if let Some(number) = self.value("nif") {
            modules.push("nif");
            macros.push(format!("-DLIBRARY=\"{}\"", self.library(directory, number)));
        }
        let files: Vec<PathBuf> = modules
            .iter()
            .map(|module| self.source(&sources, module))
            .collect();
        run(Command::new("erlc")
            .arg("+debug_info")
            .arg("-o")
            .arg(&ebin)
            .args(&macros)
            .args(files));
        fs::remove_dir_all(&sources).expect("the sources");
        fs::write(
            ebin.join(format!("{}.app", self.app)),
            self.specification(&modules),
        )
        .expect("the .app");
        if let Some(instruction) = self.value("appup") {
            let text = format!(
                "{{\"{}\", [{{<<\".*\">>, [{instruction}]}}], [{{<<\".*\">>, [{instruction}]}}]}}.\n",
                self.vsn
            );
            fs::write(ebin.join(format!("{}.appup", self.app)), text).expect("the .appup");
        }
    }

    /// The specification of its package.
    pub fn package(&self) -> String {
        let mut text = "maintainer = \"Maintainer <maintainer@example.org>\"\n".to_owned();
        for key in ["name", "conflicts", "replaces", "provides"] {
            if let Some(value) = self.value(key) {
                let value = if key == "name" {
                    format!("{value:?}")
                } else {
                    format!("[{value:?}]")
                };
                writeln!(text, "{key} = {value}").expect("a string");
            }
        }
        writeln!(
            text,
            "revision = \"{}\"\n[minimum]",
            self.value("rev").unwrap_or("1")
        )
        .expect("a string");
        for (app, vsn) in self
            .values("needs")
            .filter_map(|needed| needed.split_once(">="))
        {
            writeln!(text, "{app} = {vsn:?}").expect("a string");
        }
        for file in self.values("file") {
            writeln!(
                text,
                "[[files]]\nsource = \"erlrc.toml\"\npath = {file:?}\n"
            )
            .expect("a string");
        }
        text
    }

    /// What its `code_change` does before it changes the state.
    fn code_change(&self) -> String {
        match self.value("code_change") {
            // Nobody foresees it: what is called is not known to be harmless.
            Some("fails") => "begin _ = application:get_env(foreseen), fails end".to_owned(),
            Some("blocks") => "begin file:write_file(\"/tmp/blocked\", \"\"), \
                 (fun Wait() -> filelib:is_file(\"/tmp/go\") orelse begin timer:sleep(20), Wait() end end)(), ok end"
                .to_owned(),
            Some(node) => format!("case node() of '{node}@host' -> fails; _ -> _ = application:get_env(foreseen), ok end"),
            None => "ok".to_owned(),
        }
    }

    fn source(&self, sources: &Path, module: &str) -> PathBuf {
        let text = match module {
            "server" => include_str!("sources/APP_server.erl"),
            "lazy" => include_str!("sources/APP_lazy.erl"),
            "nif" => include_str!("sources/APP_nif.erl"),
            _ => include_str!("sources/APP_sup.erl"),
        };
        let file = sources.join(format!("{}_{module}.erl", self.app));
        fs::write(
            &file,
            text.replace("CODE_CHANGE", &self.code_change())
                .replace("APP", &self.app),
        )
        .expect("a source");
        file
    }

    /// The native library that answers `number`; its name without `.so`.
    fn library(&self, directory: &Path, number: &str) -> String {
        let (source, private) = (directory.join("build/nif.c"), directory.join("priv"));
        fs::create_dir_all(&private).expect("a directory");
        fs::write(
            &source,
            include_str!("sources/APP_nif.c").replace("APP", &self.app),
        )
        .expect("a source");
        let name = format!("{}-{number}", self.app);
        run(Command::new("gcc")
            .args(["-shared", "-fPIC", "-I/usr/lib/erlang/usr/include"])
            .arg(format!("-DANSWER={number}"))
            .arg("-o")
            .arg(private.join(format!("{name}.so")))
            .arg(source));
        name
    }

    fn specification(&self, modules: &[&str]) -> String {
        let name = |module: &&str| format!("{}_{module}", self.app);
        let modules = modules.iter().map(name).collect::<Vec<_>>().join(", ");
        let mut applications = "kernel, stdlib".to_owned();
        for needed in self.values("needs") {
            write!(
                applications,
                ", {}",
                needed.split(">=").next().unwrap_or(needed)
            )
            .expect("a string");
        }
        let included = self.values("includes").collect::<Vec<_>>().join(", ");
        format!(
            "{{application, {app}, [{{description, \"{app}\"}}, {{vsn, \"{vsn}\"}}, {{modules, [{modules}]}},\n\
             \x20   {{registered, [{app}_sup, {app}_server]}}, {{applications, [{applications}]}},\n\
             \x20   {{included_applications, [{included}]}}, {{mod, {{{app}_sup, []}}}}]}}.\n",
            app = self.app,
            vsn = self.vsn,
        )
    }
}

/// Runs a program that must succeed; what it printed.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    for name in ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ERL_LIBS"] {
        command.env_remove(name);
    }
    let output = command.output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
