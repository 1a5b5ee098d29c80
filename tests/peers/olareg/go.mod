module peer

go 1.24

require github.com/olareg/olareg v0.1.2
