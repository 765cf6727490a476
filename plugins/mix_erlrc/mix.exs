defmodule MixErlrc.MixProject do
  use Mix.Project

  def project do
    [
      app: :mix_erlrc,
      version: "0.1.0",
      elixir: "~> 1.14",
      description: "The commands of erlrc for projects of mix",
      package: [licenses: ["Apache-2.0"], links: %{}],
      deps: []
    ]
  end

  def application, do: [extra_applications: [:mix]]
end
