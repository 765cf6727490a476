defmodule Mix.Tasks.Erlrc.Suite do
  @shortdoc "Upgrades each application of the project on a node of its own"
  @moduledoc """
  Runs a suite of Common Test that upgrades each application of the project on a node of its own and takes it back; writes
  the suite where it is not there. The arguments are those of `ct_run`.
  """
  use Mix.Task

  @impl true
  def run(arguments) do
    Mix.Task.run("compile")
    MixErlrc.run(["init"])
    logs = Path.join(Mix.Project.build_path(), "logs")
    File.mkdir_p!(logs)
    for {app, _} <- MixErlrc.applications(), do: test(app, logs, arguments)
  end

  defp test(app, logs, arguments) do
    dir = Map.get(Mix.Project.apps_paths() || %{}, String.to_atom(app), ".")
    ebins = Path.wildcard(Path.join([Mix.Project.build_path(), "lib", "*", "ebin"])) ++ elixir()
    suite = Path.join([dir, "test", app <> "_upgrade_SUITE"])
    program = System.find_executable("ct_run") || Mix.raise("ct_run of OTP is not in PATH")
    MixErlrc.program(program, ["-noshell", "-pa"] ++ ebins ++ ["-suite", suite, "-logdir", logs | arguments], [])
  end

  defp elixir, do: for(app <- [:elixir, :logger], do: List.to_string(:code.lib_dir(app)) |> Path.join("ebin"))
end
