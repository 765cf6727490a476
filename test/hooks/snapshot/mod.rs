//! `erlrc snapshot` on package states of the tests' own: dpkg and apt are those of this system.

mod debian;

use debian::Debian;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

const NOWHERE: &str = "no earlier snapshot, archive cache or repository has it";

#[test]
fn files_come_from_the_nearest_place_that_has_what_is_installed() {
    let debian = Debian::new();
    let till = debian.install("till", "1.0-1", "till");
    debian.install("bank", "1:2.0", "bank");
    let run = debian.snapshot("create none");
    run.is(
        &format!(
            "none: made, 2 packages recorded, no package file kept\n  \
             no package file could be kept for bank 1:2.0: {NOWHERE}\n  \
             no package file could be kept for till 1.0-1: {NOWHERE}\n"
        ),
        0,
    );
    debian.publish(&[&till]);
    debian.json("create repository", 0);
    assert_eq!(debian.origins("repository"), "none repository");
    debian.publish(&[]);
    debian.json("create snapshot", 0);
    assert_eq!(debian.origins("snapshot"), "none snapshot");
    debian.json("drop repository", 0);
    debian.json("drop snapshot", 0);
    debian.cache(&till);
    let made = debian.json("create cache --strict", 1);
    assert_eq!(debian.origins("cache"), "none cache");
    assert_eq!(made["missing"], serde_json::json!(["bank"]));
}

#[test]
fn another_build_of_the_same_version_is_not_what_is_installed() {
    let debian = Debian::new();
    let other = debian.deb("till", "1.0-1", "another till");
    debian.cache(&other);
    debian.install("till", "1.0-1", "till");
    let run = debian.snapshot("create --strict a");
    assert_eq!(run.status, 1);
    let why = "no package file could be kept for till 1.0-1: apt's archive cache has another build of that version";
    assert!(run.out.contains(why), "{}", run.out);
    // Nor is what has its name alone.
    let wrong = debian.deb("bank", "7", "bank");
    let cached = debian.host.path("apt/cache/archives/till_1.0-1_all.deb");
    fs::copy(wrong, &cached).expect("a copy");
    let run = debian.snapshot("create --strict b");
    assert!(
        run.out.contains("has another package under that name"),
        "{}",
        run.out
    );
    fs::write(&cached, "no package").expect("a file");
    let run = debian.snapshot("create --strict c");
    assert!(
        run.out.contains("till 1.0-1: apt's archive cache: "),
        "{}",
        run.out
    );
}

#[test]
fn package_files_are_shared_and_go_with_the_last_snapshot() {
    let debian = Debian::new();
    let till = debian.install("till", "1.0-1", "till");
    debian.cache(&till);
    debian.json("create a", 0);
    debian.json("create b", 0);
    let [pooled] = &debian.pool()[..] else {
        panic!("{:?}", debian.pool())
    };
    let of = |tag: &str| {
        debian
            .host
            .path(&format!("state/snapshots/{tag}/debs/till_1.0-1_all.deb"))
    };
    let inode = |file: &std::path::Path| file.metadata().expect("a file").ino();
    let pool = debian.host.path("state/snapshots/pool").join(pooled);
    assert_eq!([inode(&of("a")), inode(&of("b"))], [inode(&pool); 2]);
    let digest = debian.run(std::process::Command::new("sha256sum").arg(&till));
    assert_eq!(pooled.strip_suffix(".deb"), digest.split(' ').next());
    assert_eq!(fs::read(&pool).ok(), fs::read(&till).ok());
    // Whoever writes over the file in the cache changes no snapshot.
    fs::write(
        debian.host.path("apt/cache/archives/till_1.0-1_all.deb"),
        "x",
    )
    .expect("a file");
    debian.snapshot("drop a").is("a: dropped\n", 0);
    assert_eq!(fs::read(of("b")).ok(), fs::read(&till).ok());
    debian.snapshot("drop b").is("b: dropped\n", 0);
    assert_eq!((debian.left(), debian.pool()), (vec![], vec![]));
    for dir in ["state/snapshots", "state/snapshots/pool"] {
        let mode = debian
            .host
            .path(dir)
            .metadata()
            .expect("a directory")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{dir}");
    }
}

#[test]
fn a_file_that_is_not_what_was_kept_is_not_shared() {
    let debian = Debian::new();
    let till = debian.install("till", "1.0-1", "till");
    debian.cache(&till);
    debian.json("create a", 0);
    let pooled = debian
        .host
        .path("state/snapshots/pool")
        .join(&debian.pool()[0]);
    // What dpkg says about it is the same.
    let mut bytes = fs::read(&pooled).expect("a file");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&pooled, bytes).expect("a file");
    debian.json("create b", 0);
    assert_eq!(debian.origins("b"), "cache");
    let kept = debian
        .host
        .path("state/snapshots/b/debs/till_1.0-1_all.deb");
    assert_eq!(fs::read(kept).ok(), fs::read(&till).ok());
}

#[test]
fn what_differs_is_told() {
    let debian = Debian::new();
    debian.install("till", "1.0-1", "till");
    debian.install("bank", "1.0-1", "bank");
    debian.install("desk", "1.0-1", "desk");
    debian.install("same", "1.0-1", "same");
    debian.snapshot("create before");
    debian
        .snapshot("diff before")
        .is("nothing differs in 4 packages\n", 0);
    debian.install("till", "1.1-1", "till 1.1");
    debian.install("bank", "0.9-1", "bank 0.9");
    debian.install("desk", "1.0-1", "another desk");
    debian.install("shop", "3-1", "shop");
    debian.dpkg(&["-r", "same"]);
    debian.snapshot("diff before").is(
        "PACKAGE  CHANGE      before  NOW\n\
         bank     downgraded  1.0-1   0.9-1\n\
         desk     rebuilt     1.0-1   1.0-1\n\
         same     removed     1.0-1   -\n\
         shop     added       -       3-1\n\
         till     upgraded    1.0-1   1.1-1\n",
        0,
    );
    debian.snapshot("create after");
    let now = debian.json("diff before", 0);
    let other = debian.json("diff before after", 0);
    assert_eq!(now["changes"], other["changes"]);
    assert_eq!(
        [&now["after"], &other["after"]],
        [&serde_json::Value::Null, &"after".into()]
    );
    assert_eq!(
        debian.json("diff after before", 0)["changes"][0]["kind"],
        "upgraded"
    );
}

#[test]
fn a_list_tells_the_oldest_first_and_names_what_is_damaged() {
    let debian = Debian::new();
    let none = format!(
        "no snapshot in {}: erlrc snapshot create makes one\n",
        debian.host.path("state/snapshots").display()
    );
    debian.snapshot("list").is(&none, 0);
    debian.install("till", "1.0-1", "till");
    debian.snapshot("create z");
    debian.snapshot("create a --keep none");
    let listed = debian.json("list", 0);
    let told = |key: &str| {
        listed["snapshots"]
            .as_array()
            .map(|all| all.iter().map(|one| one[key].clone()).collect::<Vec<_>>())
    };
    assert_eq!(told("tag"), Some(vec!["z".into(), "a".into()]));
    assert_eq!(told("missing"), Some(vec![1.into(), 0.into()]));
    fs::write(debian.host.path("state/snapshots/a/manifest.json"), "{}").expect("a file");
    let listed = debian.json("list", 1);
    assert!(
        listed["snapshots"].to_string().contains("is damaged"),
        "{listed}"
    );
    let run = debian.snapshot("show a");
    run.says("the manifest of snapshot a cannot be read")
        .says("hint: erlrc snapshot drop a removes it");
    debian.snapshot("drop a").is("a: dropped\n", 0);
}

#[test]
fn a_refusal_says_why_and_leaves_nothing() {
    let debian = Debian::new();
    debian.install("till", "1.0-1", "till");
    debian.snapshot("create a");
    let run = debian.snapshot("create a");
    run.is("", 1)
        .says("there is a snapshot a already, it stays as it is")
        .says("take another tag");
    for words in ["show b", "drop b", "diff b", "diff a b"] {
        debian
            .snapshot(words)
            .is("", 1)
            .says("there is no snapshot b");
    }
    for tag in ["pool", ".", "..", "../a", "a/b", "-", "é", &"x".repeat(65)] {
        let words = ["create", "--", tag];
        let output = debian.command(&words).output().expect("erlrc runs");
        assert_eq!(output.status.code(), Some(2), "{tag}");
    }
    assert_eq!(debian.left(), ["a"]);
    let mut command = debian.command(&["create", "c"]);
    command.env("PATH", "/nonexistent");
    let run = crate::host::Run::of(command.output().expect("erlrc runs"));
    run.says("cannot ask dpkg")
        .says("snapshots are for hosts with dpkg and apt");
    fs::write(debian.host.path("dpkg/status"), "nonsense\n\n").expect("a file");
    debian
        .snapshot("create c")
        .is("", 1)
        .says("dpkg-query fails: ");
    assert_eq!(debian.left(), ["a"]);
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let debian = Debian::new();
    debian.install("till", "1.0-1", "till");
    debian.snapshot("create a");
    let root = debian.host.path("state/snapshots");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).expect("a mode");
    for words in ["create b", "show a", "diff a", "drop a"] {
        debian
            .snapshot(words)
            .is("", 1)
            .says("can be written by group or others");
    }
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).expect("a mode");
    assert_eq!(debian.left(), ["a"]);
}

#[test]
fn of_many_creates_of_one_tag_one_makes_it() {
    let debian = Debian::new();
    let till = debian.install("till", "1.0-1", "till");
    debian.cache(&till);
    let start = |_| {
        let mut command = debian.command(&["create", "a"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("erlrc runs")
    };
    let all: Vec<_> = (0..6).map(start).collect();
    let ended = all
        .into_iter()
        .map(|child| child.wait_with_output().expect("its end"));
    let (made, refused): (Vec<_>, Vec<_>) = ended.partition(|output| output.status.success());
    assert_eq!((made.len(), refused.len()), (1, 5));
    for output in refused {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("there is a snapshot a already"), "{said}");
    }
    assert_eq!(
        (debian.left(), debian.pool().len()),
        (vec!["a".to_owned()], 1)
    );
    assert_eq!(debian.origins("a"), "cache");
}

#[test]
fn a_name_is_made_of_the_time_where_none_is_given() {
    let debian = Debian::new();
    let tags: Vec<_> = (0..3)
        .map(|_| debian.json("create", 0)["tag"].to_string())
        .collect();
    assert_eq!(debian.left().len(), 3, "{tags:?}");
    assert!(
        debian
            .left()
            .iter()
            .all(|tag| tag.len() >= 16 && tag.contains('Z'))
    );
}

#[test]
fn what_a_killed_command_left_goes_with_the_next() {
    let debian = Debian::new();
    debian.install("till", "1.0-1", "till");
    debian.snapshot("create a");
    let namespace = crate::host::pid_namespace();
    let dead = format!("state/snapshots/.unfinished-{namespace}-4294967295-1-create");
    fs::create_dir_all(debian.host.path(&dead).join("debs")).expect("directories");
    fs::write(debian.host.path("state/snapshots/pool/00.deb"), "").expect("a file");
    assert_eq!(debian.snapshot("list").status, 0);
    debian.snapshot("create b");
    assert_eq!(
        (debian.left(), debian.pool()),
        (vec!["a".to_owned(), "b".to_owned()], vec![])
    );
}

#[test]
fn a_restore_looks_before_it_begins() {
    let debian = Debian::new();
    let till = debian.install("till", "1.0-1", "till");
    debian.cache(&till);
    debian.install("bank", "1.0-1", "bank");
    for tag in ["create a", "create none --keep none"] {
        debian.json(tag, 0);
    }
    let unchanged = debian.json("restore a", 0);
    assert_eq!(unchanged["outcome"], "unchanged");
    debian
        .snapshot("restore none")
        .is("", 1)
        .says("it keeps no package files");
    debian.install("till", "1.1-1", "till 1.1");
    let told = debian.json("restore -n a", 0);
    assert_eq!(
        (&told["outcome"], &told["changes"][0]["kind"]),
        (&"would_change".into(), &"downgraded".into())
    );
    debian.snapshot("restore -n a").is(
        "PACKAGE  CHANGE      NOW    a\n\
         till     downgraded  1.1-1  1.0-1\n\
         a: 1 package would change, nothing was changed\n",
        0,
    );
    debian.install("bank", "1.1-1", "bank 1.1");
    let why = format!(
        "a cannot be restored, nothing was changed: no package file is kept for bank 1.0-1: {NOWHERE}"
    );
    debian.snapshot("restore a").is("", 1).says(&why);
    debian.snapshot("restore -n a").is("", 1).says(&why);
    debian
        .snapshot("restore b")
        .is("", 1)
        .says("there is no snapshot b");
    assert_eq!(debian.left(), ["a", "none"]);
    let now = debian.json("diff a", 0);
    assert_eq!(now["changes"].as_array().map(Vec::len), Some(2));
}
