module inference-stack.local/nullserver

go 1.26.0
