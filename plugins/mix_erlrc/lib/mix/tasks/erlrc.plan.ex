defmodule Mix.Tasks.Erlrc.Plan do
  @shortdoc "Says what an upgrade of the nodes of this host to what was built would do"
  @moduledoc """
  Says what an upgrade of the nodes of this host to what was built would do, and what would go wrong, for each application
  of the project. The arguments are those of `erlrc plan`.

      mix erlrc.plan --node shop
  """
  use Mix.Task

  @impl true
  def run(arguments) do
    Mix.Task.run("compile")
    for {app, dir} <- MixErlrc.applications(), do: MixErlrc.run(["plan", app, "--to", dir | arguments])
  end
end
