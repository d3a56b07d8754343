"""What Slicer does not bring, by the names under which it is imported."""

NOT_BUNDLED = (
    "torch",
    "monai",
    "pydantic",
    "typer",
    "rich",
    "safetensors",
    "jinja2",
    "matplotlib",
    "highdicom",
    "fpdf",
)
