"""pneumoscope: chest X-rays in, an honestly judged pneumonia classifier out."""

__version__ = "0.1.0"
