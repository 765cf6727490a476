defmodule MixErlrc do
  @moduledoc """
  Calls the command `erlrc` for the applications of a project, after it has been compiled.
  """

  @doc """
  The applications of the project, an umbrella's or its own, and where they were built.
  """
  @spec applications() :: [{String.t(), Path.t()}]
  def applications do
    names =
      case Mix.Project.apps_paths() do
        nil -> [Mix.Project.config()[:app]]
        paths -> Map.keys(paths)
      end

    for name <- Enum.sort(names) do
      {Atom.to_string(name), Path.join([Mix.Project.build_path(), "lib", Atom.to_string(name)])}
    end
  end

  @doc """
  Runs `erlrc` and raises where it fails.
  """
  @spec run([String.t()], [{String.t(), String.t()}]) :: :ok
  def run(arguments, environment \\ []), do: program(command(), arguments, environment)

  @doc """
  Runs a program to its end; it writes where mix does.
  """
  @spec program(Path.t(), [String.t()], [{String.t(), String.t()}]) :: :ok
  def program(program, arguments, environment) do
    options = [into: IO.stream(:stdio, :line), stderr_to_stdout: true, env: environment]

    case System.cmd(program, arguments, options) do
      {_, 0} -> :ok
      {_, status} -> Mix.raise("#{Path.basename(program)} #{hd(arguments)} ended with status #{status}")
    end
  end

  # The one that is built where erlrc is a dependency, else the one that is installed.
  defp command do
    built = Path.join([Mix.Project.build_path(), "lib", "erlrc", "priv", "erlrc"])
    found = if File.regular?(built), do: built, else: System.find_executable("erlrc")
    found || Mix.raise("the command erlrc is not there: install it, or add erlrc to the dependencies of the project")
  end
end
