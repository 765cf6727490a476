defmodule Mix.Tasks.Erlrc.Package do
  @shortdoc "Makes a .deb or .rpm of each application of the project"
  @moduledoc """
  Makes a package of each application of the project. The arguments are those of `erlrc package`.

      mix erlrc.package --format all
  """
  use Mix.Task

  @impl true
  def run(arguments) do
    Mix.Task.run("compile")
    MixErlrc.run(["package" | arguments])
  end
end
