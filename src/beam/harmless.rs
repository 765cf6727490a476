//! Functions of OTP whose calls only the caller can notice, and that do the same in every process:
//! they compute, or read a clock. The functions of the process dictionary are not among them.
//!
//! A function that is not listed counts as noticeable. A plan that warns of what `init/1` repeats
//! has a list of its own, of functions that are certainly noticeable; a function in neither list is
//! unknown.

/// Modules all of whose functions are harmless, as long as the funs that they are given are.
const MODULES: [&str; 38] = [
    "array",
    "base64",
    "binary",
    "calendar",
    "dict",
    "erl_anno",
    "gb_sets",
    "gb_trees",
    "json",
    "lists",
    "maps",
    "math",
    "orddict",
    "ordsets",
    "proplists",
    "queue",
    "rand",
    "re",
    "sets",
    "sofs",
    "string",
    "unicode",
    "uri_string",
    "Elixir.Access",
    "Elixir.Atom",
    "Elixir.Base",
    "Elixir.Enum",
    "Elixir.Float",
    "Elixir.Integer",
    "Elixir.Keyword",
    "Elixir.List",
    "Elixir.Map",
    "Elixir.MapSet",
    "Elixir.Range",
    "Elixir.Regex",
    "Elixir.String",
    "Elixir.String.Chars",
    "Elixir.Tuple",
];

/// Functions of the module `erlang`, of every arity, and its guards and operators.
const ERLANG: [&str; 97] = [
    "abs",
    "adler32",
    "append_element",
    "atom_to_binary",
    "atom_to_list",
    "binary_part",
    "binary_to_atom",
    "binary_to_existing_atom",
    "binary_to_float",
    "binary_to_integer",
    "binary_to_list",
    "bit_size",
    "bitstring_to_list",
    "byte_size",
    "ceil",
    "convert_time_unit",
    "crc32",
    "date",
    "delete_element",
    "element",
    "error",
    "external_size",
    "float",
    "float_to_binary",
    "float_to_list",
    "floor",
    "fun_info",
    "fun_to_list",
    "function_exported",
    "get_module_info",
    "hd",
    "insert_element",
    "integer_to_binary",
    "integer_to_list",
    "iolist_size",
    "iolist_to_binary",
    "iolist_to_iovec",
    "is_alive",
    "is_builtin",
    "is_map_key",
    "is_process_alive",
    "is_record",
    "length",
    "list_to_atom",
    "list_to_binary",
    "list_to_bitstring",
    "list_to_existing_atom",
    "list_to_float",
    "list_to_integer",
    "list_to_tuple",
    "localtime",
    "make_ref",
    "make_tuple",
    "map_get",
    "map_size",
    "max",
    "md5",
    "md5_final",
    "md5_init",
    "md5_update",
    "min",
    "module_loaded",
    "monotonic_time",
    "nif_error",
    "node",
    "now",
    "phash",
    "phash2",
    "pid_to_list",
    "port_to_list",
    "raise",
    "ref_to_list",
    "round",
    "self",
    "setelement",
    "size",
    "split_binary",
    "system_info",
    "system_time",
    "term_to_binary",
    "throw",
    "time",
    "time_offset",
    "timestamp",
    "tl",
    "trunc",
    "tuple_size",
    "tuple_to_list",
    "unique_integer",
    "universaltime",
    "whereis",
    "and",
    "or",
    "not",
    "xor",
    "append",
    "subtract",
];

const OPERATORS: [&str; 22] = [
    "+", "-", "*", "/", "div", "rem", "band", "bor", "bxor", "bnot", "bsl", "bsr", "==", "/=",
    "=:=", "=/=", "<", "=<", ">", ">=", "++", "--",
];

/// Harmless functions of other modules: they read, or build the specification of a child.
const OTHERS: [(&str, &str); 18] = [
    ("application", "get_all_env"),
    ("application", "get_env"),
    ("application", "get_key"),
    ("filename", "basename"),
    ("filename", "dirname"),
    ("filename", "join"),
    ("io_lib", "format"),
    ("os", "getenv"),
    ("os", "system_time"),
    ("os", "timestamp"),
    ("persistent_term", "get"),
    ("Elixir.Application", "fetch_env"),
    ("Elixir.Application", "fetch_env!"),
    ("Elixir.Application", "get_env"),
    ("Elixir.DynamicSupervisor", "init"),
    ("Elixir.Supervisor", "child_spec"),
    ("Elixir.Supervisor", "init"),
    ("Elixir.System", "get_env"),
];

/// Functions that only write to a log, on which nothing depends.
const LOGS: [(&str, &[&str]); 2] = [
    (
        "logger",
        &[
            "alert",
            "allow",
            "critical",
            "debug",
            "emergency",
            "error",
            "info",
            "log",
            "macro_log",
            "notice",
            "warning",
        ],
    ),
    (
        "Elixir.Logger",
        &["__do_log__", "__should_log__", "bare_log"],
    ),
];

fn logs(module: &str, function: &str) -> bool {
    let mut of_module = LOGS.iter().filter(|(name, _)| *name == module);
    of_module.any(|(_, functions)| functions.contains(&function))
}

/// Whether a call of this function is harmless.
pub(super) fn is_harmless(module: &str, function: &str, arity: usize) -> bool {
    match module {
        "erlang" => match (function, arity) {
            // exit/2 is a signal to another process.
            ("exit", arity) => arity == 1,
            _ if function.starts_with("is_") => true,
            _ => ERLANG.contains(&function) || OPERATORS.contains(&function),
        },
        _ => {
            MODULES.contains(&module)
                || OTHERS.contains(&(module, function))
                || logs(module, function)
        }
    }
}
