"""The container image: built, run as the documentation says, and asked what it promises."""
