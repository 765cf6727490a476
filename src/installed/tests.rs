//! What is on disk, as facts: rules and errors one by one, in temporary directories.

use super::*;
use crate::inclusion::{self, Action, Loaded, Specification};
use crate::term::text::parse;
use std::collections::HashMap;
use std::fs;
use tempfile::TempDir;

/// A root, metadata and a library of applications.
struct Disk {
    dir: TempDir,
    path: Vec<PathBuf>,
}

impl Disk {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        for part in ["root/applications", "apps", "lib"] {
            fs::create_dir_all(dir.path().join(part)).unwrap();
        }
        Self {
            dir,
            path: Vec::new(),
        }
    }

    /// Writes a file, whose name is relative to the whole.
    fn file(self, name: &str, content: &str) -> Self {
        let file = self.dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    /// Installs a version without putting it on the code path.
    fn beside(self, name: &str, vsn: &str, keys: &str) -> Self {
        let file = format!("lib/{name}-{vsn}/ebin/{name}.app");
        self.file(&file, &specification(name, vsn, keys))
    }

    fn installed(self, name: &str, vsn: &str, keys: &str) -> Self {
        self.beside(name, vsn, keys)
            .on_path(&format!("lib/{name}-{vsn}/ebin"))
    }

    fn on_path(mut self, ebin: &str) -> Self {
        self.path.push(self.dir.path().join(ebin));
        self
    }

    fn registered(self, name: &str, content: &str) -> Self {
        self.file(&format!("root/applications/{name}"), content)
    }

    fn metadata(self, name: &str, vsn: &str, directory: &str) -> Self {
        let dir = text(&self.dir.path().join(directory));
        self.file(
            &format!("apps/{name}"),
            &format!("{{{name}, \"{vsn}\", \"{dir}\"}}.\n"),
        )
    }

    fn directories(&self) -> Directories {
        Directories {
            root: self.dir.path().join("root"),
            apps: self.dir.path().join("apps"),
            path: self.path.clone(),
            libs: vec![self.dir.path().join("lib")],
            threads: 3,
        }
    }

    fn survey(&self, node: Node, event: Event) -> Result<Survey, Error> {
        survey(&self.directories(), node, event)
    }

    /// What boot does, as words; warnings last.
    fn boot(&self) -> Result<String, Term> {
        let survey = self
            .survey(Node::default(), Event::Boot)
            .map_err(|error| error.reason())?;
        let transition = inclusion::transition(survey.facts, &survey.event);
        let transition = transition.map_err(|error| error.reason())?;
        let mut words: Vec<String> = Vec::new();
        for action in &transition.actions {
            match action {
                Action::Load { application, ebin } => {
                    let dir = Path::new(ebin).parent().unwrap().file_name().unwrap();
                    let name = application.name.as_str();
                    words.push(format!("{name}={}", dir.to_string_lossy()));
                }
                Action::Start(name) => words.push(name.to_string()),
                other => panic!("{other:?}"),
            }
        }
        let tag = |warning: Term| warning.as_tuple().unwrap()[0].to_string();
        words.extend(survey.warnings.iter().map(|warning| tag(warning.term())));
        words.extend(
            transition
                .warnings
                .iter()
                .map(|warning| tag(warning.term())),
        );
        Ok(words.join(" "))
    }

    #[track_caller]
    fn boots(&self, expected: &str) {
        assert_eq!(self.boot().unwrap(), expected);
    }

    /// `$` in the expected reason is the directory of everything.
    #[track_caller]
    fn refuses(&self, expected: &str) {
        let expected = expected.replace('$', &text(self.dir.path()));
        assert_eq!(self.boot().unwrap_err(), parse(&expected).unwrap());
    }
}

fn specification(name: &str, vsn: &str, keys: &str) -> String {
    format!("{{application, {name}, [{{vsn, \"{vsn}\"}}{keys}]}}.\n")
}

fn atom(name: &str) -> Atom {
    Atom::new(name).unwrap()
}

#[test]
fn what_is_registered_and_what_it_reaches_is_read() {
    Disk::new()
        .installed(
            "a",
            "1",
            ", {applications, [b]}, {included_applications, [c]}",
        )
        .installed("b", "2", "")
        .installed("c", "3", "")
        .installed("unrelated", "4", "")
        .registered("a", "")
        .boots("b=b-2 a=a-1 c=c-3 b a");
}

#[test]
fn stray_files_register_nothing() {
    let disk = Disk::new()
        .installed("a", "1", "")
        .registered("a", "")
        .registered("b.dpkg-new", "")
        .registered("c~", "")
        .registered("D", "")
        .registered("e.app", "not even a term")
        .file("root/applications/f/g", "");
    std::os::unix::fs::symlink("nowhere", disk.dir.path().join("root/applications/h")).unwrap();
    disk.boots("a=a-1 a");
}

#[test]
fn a_link_to_a_file_registers() {
    let disk = Disk::new().installed("a", "1", "").file("elsewhere", "");
    let link = disk.dir.path().join("root/applications/a");
    std::os::unix::fs::symlink(disk.dir.path().join("elsewhere"), link).unwrap();
    disk.boots("a=a-1 a");
}

#[test]
fn a_registration_may_disable() {
    Disk::new()
        .installed("a", "1", "")
        .installed("b", "1", "")
        .registered("a", "%% why\n{enabled, false}.\n{on_exit, halt}.\n")
        .registered("b", "{enabled, true}. {from_the_future, 1}.")
        .boots("b=b-1 b unknown_registration_term");
}

#[test]
fn one_word_in_a_registration_is_passed_over_with_a_warning() {
    for text in ["temporary", "permanent\n", "transient.\n"] {
        let disk = Disk::new().installed("a", "1", "");
        disk.registered("a", text)
            .boots("a=a-1 a unknown_registration_term");
    }
    for text in ["two words", "{enabled, false", "disabled", "temporary,"] {
        let disk = Disk::new().installed("a", "1", "").registered("a", text);
        assert!(disk.boot().is_err(), "{text}");
    }
}

#[test]
fn a_registration_that_cannot_be_used_is_an_error() {
    let disk = Disk::new().installed("a", "1", "");
    let disk = disk.registered("a", "{enabled, maybe}.");
    let file = "\"$/root/applications/a\"";
    disk.refuses(&format!(
        "{{registration_file_error, {file}, {{bad_registration, enabled}}}}"
    ));
    let disk = disk.registered("a", "{enabled, false");
    let reason = disk.boot().unwrap_err();
    let [tag, _file, why] = reason.as_tuple().unwrap() else {
        panic!("{reason}")
    };
    assert!(tag.is_atom("registration_file_error"));
    assert_eq!(why.as_tuple().unwrap()[0], Term::Integer(1), "the line");
}

#[test]
fn an_unreadable_directory_of_registrations_is_an_error() {
    let disk = Disk::new();
    fs::remove_dir(disk.dir.path().join("root/applications")).unwrap();
    disk.refuses("{app_dir_unreadable, \"$/root/applications\", enoent}");
    let disk = disk.file("root/applications", "no directory");
    disk.refuses("{app_dir_unreadable, \"$/root/applications\", enotdir}");
}

#[test]
fn an_application_that_is_nowhere_is_skipped_or_an_error() {
    Disk::new().registered("gone", "").boots("package_gone");
    Disk::new()
        .installed("a", "1", ", {applications, [gone]}")
        .registered("a", "")
        .refuses("{appspec_file_not_found, \"gone.app\"}");
    Disk::new()
        .registered("a", "")
        .metadata("a", "1", "lib/a-1")
        .refuses("{appspec_file_not_found, \"$/lib/a-1/ebin/a.app\"}");
}

#[test]
fn a_name_that_leads_elsewhere_is_nowhere() {
    for name in ["../lib/b-1/ebin/b", "/etc/passwd", "a\\0", ""] {
        let keys = format!(", {{applications, ['{name}']}}");
        let disk = Disk::new().installed("a", "1", &keys).registered("a", "");
        let disk = disk.file(
            "lib/b-1/ebin/b.app",
            "{application, '../lib/b-1/ebin/b', []}.",
        );
        disk.refuses(&format!("{{appspec_file_not_found, \"{name}.app\"}}"));
    }
}

#[test]
fn many_directories_of_one_library_are_found_from_there() {
    let name = |number| format!("a{number}");
    let install = |disk: Disk, number| disk.installed(&name(number), "1", "");
    let disk = (1..20).fold(Disk::new(), install).registered("a7", "");
    disk.boots("a7=a7-1 a7");
    // What is newer is taken although the path does not have it.
    let disk = disk.beside("a7", "2", "");
    disk.boots("a7=a7-2 a7 several_versions");
    // And what takes the place of what the path has.
    fs::remove_dir_all(disk.dir.path().join("lib/a7-1")).unwrap();
    disk.boots("a7=a7-2 a7");
    fs::remove_dir_all(disk.dir.path().join("lib/a7-2")).unwrap();
    disk.boots("package_gone");
}

#[test]
fn a_broken_specification_is_an_error_with_its_line() {
    let disk = Disk::new().installed("a", "1", "").registered("a", "");
    let disk = disk.file("lib/a-1/ebin/a.app", "{application, a,\n [{vsn 1}]}.");
    let reason = disk.boot().unwrap_err();
    let [tag, file, why] = reason.as_tuple().unwrap() else {
        panic!("{reason}")
    };
    assert!(tag.is_atom("appspec_file_parse_error"));
    assert!(file.as_string().unwrap().ends_with("/lib/a-1/ebin/a.app"));
    assert_eq!(why.as_tuple().unwrap()[0], Term::Integer(2));
    let broken = |content, why| {
        let disk = Disk::new().installed("a", "1", "").registered("a", "");
        let disk = disk.file("lib/a-1/ebin/a.app", content);
        let file = "\"$/lib/a-1/ebin/a.app\"";
        disk.refuses(&format!("{{appspec_file_parse_error, {file}, {why}}}"));
    };
    broken("", "{term_count, 0}");
    broken("a. b.", "{term_count, 2}");
    broken("{application, a}.", "bad_format");
    broken("{application, b, []}.", "{wrong_name, b}");
    broken(
        "{application, a, [{applications, kernel}]}.",
        "{bad_key, applications}",
    );
    broken(&" ".repeat((4 << 20) + 1), "{larger_than, 4194304}");
}

#[test]
fn what_is_no_regular_file_is_an_error() {
    let disk = Disk::new().on_path("lib/a-1/ebin").registered("a", "");
    fs::create_dir_all(disk.dir.path().join("lib/a-1/ebin/a.app")).unwrap();
    let file = "\"$/lib/a-1/ebin/a.app\"";
    disk.refuses(&format!(
        "{{appspec_file_parse_error, {file}, not_a_regular_file}}"
    ));
}

#[test]
fn an_override_holds() {
    let disk = Disk::new()
        .installed("a", "1", ", {applications, [b]}")
        .installed("b", "1", "")
        .installed("c", "1", "")
        .registered("a", "")
        .file(
            "root/applications/a.app",
            "{application, a, [{applications, {merge, [c]}}]}.",
        );
    disk.boots("b=b-1 c=c-1 a=a-1 b c a");
    let root = disk.dir.path().join("root");
    let dir = disk.dir.path().join("lib/a-1");
    let names = application(&atom("a"), &dir, &root).unwrap().applications;
    assert_eq!(names, [atom("b"), atom("c")]);
    let disk = disk.file(
        "root/applications/a.app",
        "{application, a, [{env, 1, 2}]}.",
    );
    let file = "\"$/root/applications/a.app\"";
    disk.refuses(&format!(
        "{{appspec_override_wrong_arity, {file}, {{env, 1, 2}}}}"
    ));
    let disk = disk.file(
        "root/applications/a.app",
        "{application, a, [{vsn, \"2\"}]}.",
    );
    disk.refuses(&format!(
        "{{appspec_file_parse_error, {file}, {{appspec_override_refused, vsn}}}}"
    ));
}

#[test]
fn of_several_versions_the_latest_is_taken_with_a_warning() {
    Disk::new()
        .beside("a", "1.0", "")
        .installed("a", "1.0-rc1", "")
        .beside("a", "0.9", "")
        .registered("a", "")
        .boots("a=a-1.0 a several_versions");
}

#[test]
fn a_directory_without_the_application_is_no_version() {
    Disk::new()
        .installed("a", "1.0", "")
        .file("lib/a-2.0/priv/left.over", "")
        .registered("a", "")
        .boots("a=a-1.0 a");
}

#[test]
fn metadata_decides_which_version_is_meant() {
    Disk::new()
        .installed("a", "1.0", "")
        .beside("a", "2.0", "")
        .beside("a", "3.0", "")
        .metadata("a", "2.0", "lib/a-2.0")
        .registered("a", "")
        .boots("a=a-2.0 a");
}

#[test]
fn metadata_that_cannot_be_used_is_passed_over() {
    Disk::new()
        .installed("a", "1.0", "")
        .file("apps/a", "{a, 1}.")
        .registered("a", "")
        .boots("a=a-1.0 a metadata_file_error");
}

#[test]
fn a_version_that_a_person_put_on_the_path_stays() {
    Disk::new()
        .file("mine/a-1.0/ebin/a.app", &specification("a", "1.0", ""))
        .file("mine/a-2.0/ebin/a.app", &specification("a", "2.0", ""))
        .on_path("mine/a-1.0/ebin")
        .registered("a", "")
        .boots("a=a-1.0 a");
}

#[test]
fn a_directory_without_version_was_put_on_the_path_by_hand() {
    Disk::new()
        .file("lib/a/ebin/a.app", &specification("a", "1", ""))
        .on_path("lib/a/ebin")
        .beside("a", "2", "")
        .registered("a", "")
        .boots("a=a a");
}

#[test]
fn an_application_in_a_directory_of_another_name_is_found() {
    Disk::new()
        .file("somewhere/code/a.app", &specification("a", "1", ""))
        .on_path("somewhere/code")
        .registered("a", "")
        .boots("a=somewhere a");
}

#[test]
fn what_was_installed_after_the_path_was_made_is_found() {
    Disk::new()
        .installed("a", "1", ", {applications, [b]}")
        .beside("b", "1", "")
        .beside("b", "2", "")
        .registered("a", "")
        .boots("b=b-2 a=a-1 b a several_versions");
}

#[test]
fn a_start_reads_the_directory_that_it_is_given() {
    let disk = Disk::new()
        .installed("a", "1", "")
        .beside("a", "2", ", {applications, [b]}")
        .installed("b", "1", "");
    let start = |vsn: &str, dir: &str| Event::Start {
        application: atom("a"),
        vsn: vsn.to_owned(),
        dir: disk.dir.path().join(dir),
    };
    let survey = disk.survey(Node::default(), start("2", "lib/a-2")).unwrap();
    let found: HashMap<_, _> = survey.facts.specifications.into_iter().collect();
    assert!(
        matches!(&found[&atom("a")], Specification::Found { ebin, .. }
        if ebin.ends_with("lib/a-2/ebin"))
    );
    assert!(matches!(found[&atom("b")], Specification::Found { .. }));
    let error = disk
        .survey(Node::default(), start("3", "lib/a-2"))
        .unwrap_err();
    assert!(error.reason().is_atom("version_mismatch"));
    let error = disk
        .survey(Node::default(), start("3", "lib/a-3"))
        .unwrap_err();
    assert!(
        error.to_string().ends_with("lib/a-3/ebin/a.app not found"),
        "{error}"
    );
}

#[test]
fn a_stop_learns_which_of_the_loaded_applications_are_registered() {
    let disk = Disk::new()
        .registered("a", "")
        .registered("b", "{enabled, false}.")
        .registered("c", "broken")
        .registered("not_loaded", "");
    let loaded = |name| Loaded {
        name: atom(name),
        applications: Vec::new(),
        included_applications: Vec::new(),
        optional_applications: Vec::new(),
    };
    let node = Node {
        loaded: ["a", "b", "c"].map(loaded).into(),
        ..Node::default()
    };
    let survey = disk.survey(node, Event::Stop(atom("a"))).unwrap();
    assert_eq!(survey.facts.registered, [atom("a")]);
    assert!(matches!(survey.warnings[..], [Warning::FileIgnored(_)]));
}

#[test]
fn many_are_read_by_several_threads_and_a_chain_one_by_one() {
    let mut disk = Disk::new();
    for i in 0..300 {
        let next = format!(", {{applications, [b{i}]}}");
        disk = disk
            .installed(&format!("a{i}"), "1", &next)
            .registered(&format!("a{i}"), "");
        let next = match i {
            0 => String::new(),
            _ => format!(", {{applications, [b{}]}}", i - 1),
        };
        disk = disk.installed(&format!("b{i}"), "1", &next);
    }
    let text = disk.boot().unwrap();
    assert_eq!(text.split(' ').count(), 1200);
}
