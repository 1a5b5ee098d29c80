module peer

go 1.24

require github.com/notaryproject/notation v1.3.2
