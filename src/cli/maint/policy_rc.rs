//! Debian's policy-rc.d: whether anything may be started now. Image builds forbid it.

use std::path::Path;
use std::process::{Command, Stdio};

const PROGRAM: &str = "/usr/sbin/policy-rc.d";
/// "Action forbidden by policy", Debian policy 9.3.3.1 and invoke-rc.d(8).
const FORBIDDEN: i32 = 101;

/// Whether `application` may be started. A host without a policy allows it.
pub fn may_start(application: &str) -> bool {
    let program = std::env::var_os("ERLRC_POLICY_RC");
    let program = program.as_deref().map_or(Path::new(PROGRAM), Path::new);
    if !program.exists() {
        return true;
    }
    let mut policy = Command::new(program);
    policy
        .args([&format!("erlrc-{application}"), "start"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let answer = policy.status().ok().and_then(|status| status.code());
    answer != Some(FORBIDDEN)
}
