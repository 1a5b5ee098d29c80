module peer

go 1.25.0

require github.com/distribution/distribution/v3 v3.1.1
