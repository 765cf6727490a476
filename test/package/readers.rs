//! What the programs that read packages find in them.

use crate::project::{MAINTAINER, Project, member, run, says, text};
use std::process::Command;

#[test]
fn lintian_finds_no_error() {
    let project = Project::new(MAINTAINER);
    project.file("foo.c", crate::native::SOURCE);
    let deb = project.made("deb");
    crate::native::compile(&project);
    let native = project.package(&["--output", "out", "--revision", "2", "foo"]);
    let native = native.out.trim_end();
    let found = run(Command::new("lintian")
        .args(["--tag-display-limit=0", "--color=never"])
        .args([text(&deb), native]));
    let errors: Vec<_> = found
        .out
        .lines()
        .filter(|line| line.starts_with("E:"))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // It did look.
    assert!(
        found.out.contains("initial-upload-closes-no-bugs"),
        "{}{}",
        found.out,
        found.err
    );
}

#[test]
fn shellcheck_finds_nothing_in_scripts() {
    let project = Project::new(&format!(
        "{MAINTAINER}[scripts]\npostinst = \"post.sh\"\npostrm = \"post.sh\"\n"
    ));
    project.file(
        "post.sh",
        "if [ \"$1\" = configure ]; then\n    echo configured\nfi\n",
    );
    let deb = project.made("deb");
    let rpm = project.made("rpm");
    let mut scripts: Vec<String> = ["preinst", "postinst", "prerm", "postrm"]
        .iter()
        .map(|name| member(&deb, name))
        .collect();
    let format = "%{PREIN}\\n\\f%{POSTIN}\\n\\f%{PREUN}\\n\\f%{POSTUN}\\n\\f%{POSTTRANS}\\n";
    let scriptlets = says("rpm", &["-qp", "--queryformat", format, text(&rpm)]);
    scripts.extend(
        scriptlets
            .split('\u{c}')
            .map(|scriptlet| format!("#!/bin/sh\n{scriptlet}")),
    );
    assert_eq!(scripts.len(), 9);
    for (number, script) in scripts.iter().enumerate() {
        assert!(script.contains("erlrc maint"), "{script}");
        project.file(&format!("script{number}"), script);
        says(
            "shellcheck",
            &[text(&project.path(&format!("script{number}")))],
        );
    }
}

#[test]
fn scripts_do_nothing_without_erlrc_and_for_images() {
    let project = Project::new(MAINTAINER);
    let deb = project.made("deb");
    project.file("script", &member(&deb, "postinst"));
    project.file("bin/erlrc", "#!/bin/sh\necho \"$@\"\nexit 7\n");
    says("chmod", &["+x", text(&project.path("bin/erlrc"))]);
    let script = |path: &str, root: &str| {
        let mut command = project.command("/bin/sh");
        command
            .args(["script", "configure", "1.0 x"])
            .env("DPKG_ROOT", root)
            .env("PATH", path);
        run(&mut command)
    };
    let own = project.path("bin");
    assert_eq!(script("/nowhere", "").status, Some(0));
    assert_eq!(script(text(&own), "/image").status, Some(0));
    let called = script(text(&own), "");
    assert_eq!((called.status, called.out.as_str()), (Some(7), ""));
    assert_eq!(
        called.err,
        "maint deb postinst --app foo=1.0-rc1=/usr/lib/erlang/lib/foo-1.0-rc1 --min bar>=2.1 -- configure 1.0 x\n"
    );
}

#[test]
fn rpm_reads_what_was_meant() {
    let project = Project::new(&format!(
        "{MAINTAINER}epoch = 2\nrecommends = [\"adduser\"]\nlicense = \"MIT\"\n"
    ));
    let rpm = project.made("rpm");
    assert!(
        text(&rpm).ends_with("/out/erlang-foo-1.0~rc1-1.noarch.rpm"),
        "{rpm:?}"
    );
    let query = |arguments: &[&str]| {
        let mut all = vec!["-qp"];
        all.extend(arguments);
        all.push(text(&rpm));
        says("rpm", &all)
    };
    let tags = "%{NAME} %{EPOCH} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE} %{URL} %{BUILDTIME}\\n%{SUMMARY}\\n";
    assert_eq!(
        query(&["--queryformat", tags]),
        "erlang-foo 2 1.0~rc1 1 noarch MIT https://foo.example 1700000000\nCounts what passes by\n"
    );
    let requires = query(&["--requires"]);
    for needed in [
        "erlang-bar >= 2.1",
        "erlang-crypto >= 25",
        "erlang-erts >= 25",
        "erlang-stdlib >= 25",
    ] {
        assert!(
            requires.lines().any(|line| line == needed),
            "{needed}: {requires}"
        );
    }
    assert!(query(&["--provides"]).contains("erlang-app-foo = 1.0~rc1\n"));
    assert_eq!(query(&["--suggests"]), "erlang-opt\nerlrc\n");
    assert_eq!(query(&["--recommends"]), "adduser\n");
    assert_eq!(query(&["--configfiles"]), "/etc/erlrc.d/applications/foo\n");
    assert_eq!(
        query(&["--list"]),
        "/etc/erlrc.d/applications/foo
/usr/lib/erlang/lib/foo-1.0-rc1
/usr/lib/erlang/lib/foo-1.0-rc1/ebin
/usr/lib/erlang/lib/foo-1.0-rc1/ebin/foo.app
/usr/lib/erlang/lib/foo-1.0-rc1/include
/usr/lib/erlang/lib/foo-1.0-rc1/include/foo.hrl
/usr/lib/erlang/lib/foo-1.0-rc1/priv
/usr/lib/erlang/lib/foo-1.0-rc1/priv/data
/usr/lib/erlang/lib/foo-1.0-rc1/priv/data/one
/usr/lib/erlrc/apps/foo
/usr/share/doc/erlang-foo
/usr/share/doc/erlang-foo/copyright
"
    );
    let verified = says("rpm", &["-Kv", "--nosignature", text(&rpm)]);
    assert!(
        verified.contains("OK") && !verified.contains("BAD"),
        "{verified}"
    );
}
