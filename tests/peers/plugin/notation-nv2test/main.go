// A plugin on notation's own framework, for tests: it signs with a key in a file, raw or as an envelope, and
// takes over both checks of verification. Its configuration says how:
//
//	capabilities  comma-separated, instead of all
//	attribute.X   a critical extended attribute X of envelopes
//	annotation.X  an annotation of the signature manifest
//	deny          a capability whose check fails
//	ignore        "yes": no attribute is processed
//
// The key id is the path of a PEM file: private key (PKCS#8), then the chain. A file VERSION beside the executable
// holds its version.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/notaryproject/notation-core-go/signature"
	_ "github.com/notaryproject/notation-core-go/signature/cose"
	_ "github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-plugin-framework-go/cli"
	"github.com/notaryproject/notation-plugin-framework-go/plugin"
)

type filePlugin struct{}

func main() {
	program, err := cli.New(filePlugin{})
	if err != nil {
		panic(err)
	}
	program.Execute(context.Background(), os.Args)
}

func (filePlugin) GetMetadata(_ context.Context, req *plugin.GetMetadataRequest) (*plugin.GetMetadataResponse, error) {
	capabilities := []plugin.Capability{
		plugin.CapabilitySignatureGenerator, plugin.CapabilityEnvelopeGenerator,
		plugin.CapabilityTrustedIdentityVerifier, plugin.CapabilityRevocationCheckVerifier,
	}
	if only := req.PluginConfig["capabilities"]; only != "" {
		capabilities = nil
		for _, name := range strings.Split(only, ",") {
			capabilities = append(capabilities, plugin.Capability(name))
		}
	}
	return &plugin.GetMetadataResponse{
		Name:                      "nv2test",
		Description:               "Signs with a key in a file",
		Version:                   version(),
		URL:                       "https://example.com/nv2test",
		SupportedContractVersions: []string{plugin.ContractVersion},
		Capabilities:              capabilities,
	}, nil
}

func version() string {
	executable, err := os.Executable()
	if err != nil {
		return "1.0.0"
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(executable), "VERSION"))
	if err != nil {
		return "1.0.0"
	}
	return strings.TrimSpace(string(data))
}

func (filePlugin) DescribeKey(_ context.Context, req *plugin.DescribeKeyRequest) (*plugin.DescribeKeyResponse, error) {
	key, _, err := read(req.KeyID)
	if err != nil {
		return nil, err
	}
	spec, _, err := specOf(key)
	return &plugin.DescribeKeyResponse{KeyID: req.KeyID, KeySpec: spec}, err
}

func (filePlugin) GenerateSignature(_ context.Context, req *plugin.GenerateSignatureRequest) (*plugin.GenerateSignatureResponse, error) {
	key, chain, err := read(req.KeyID)
	if err != nil {
		return nil, err
	}
	_, algorithm, err := specOf(key)
	if err != nil {
		return nil, err
	}
	signed, err := sign(key, req.Hash, req.Payload)
	if err != nil {
		return nil, err
	}
	var certificates [][]byte
	for _, certificate := range chain {
		certificates = append(certificates, certificate.Raw)
	}
	return &plugin.GenerateSignatureResponse{
		KeyID: req.KeyID, Signature: signed, SigningAlgorithm: algorithm, CertificateChain: certificates,
	}, nil
}

func (filePlugin) GenerateEnvelope(_ context.Context, req *plugin.GenerateEnvelopeRequest) (*plugin.GenerateEnvelopeResponse, error) {
	key, chain, err := read(req.KeyID)
	if err != nil {
		return nil, err
	}
	signer, err := signature.NewLocalSigner(chain, key)
	if err != nil {
		return nil, err
	}
	envelope, err := signature.NewEnvelope(req.SignatureEnvelopeType)
	if err != nil {
		return nil, err
	}
	now := time.Now().Truncate(time.Second)
	wanted := &signature.SignRequest{
		Payload:       signature.Payload{ContentType: req.PayloadType, Content: req.Payload},
		Signer:        signer,
		SigningTime:   now,
		SigningScheme: signature.SigningSchemeX509,
		SigningAgent:  "nv2test",
	}
	if req.ExpiryDurationInSeconds != 0 {
		wanted.Expiry = now.Add(time.Duration(req.ExpiryDurationInSeconds) * time.Second)
	}
	annotations := map[string]string{}
	for key, value := range req.PluginConfig {
		if name, found := strings.CutPrefix(key, "attribute."); found {
			attribute := signature.Attribute{Key: name, Critical: true, Value: value}
			wanted.ExtendedSignedAttributes = append(wanted.ExtendedSignedAttributes, attribute)
		}
		if name, found := strings.CutPrefix(key, "annotation."); found {
			annotations[name] = value
		}
	}
	data, err := envelope.Sign(wanted)
	return &plugin.GenerateEnvelopeResponse{
		SignatureEnvelope: data, SignatureEnvelopeType: req.SignatureEnvelopeType, Annotations: annotations,
	}, err
}

func (filePlugin) VerifySignature(_ context.Context, req *plugin.VerifySignatureRequest) (*plugin.VerifySignatureResponse, error) {
	response := &plugin.VerifySignatureResponse{
		VerificationResults: map[plugin.Capability]*plugin.VerificationResult{},
		ProcessedAttributes: []any{},
	}
	for _, capability := range req.TrustPolicy.SignatureVerification {
		result := &plugin.VerificationResult{Success: true, Reason: "it is fine"}
		if req.PluginConfig["deny"] == string(capability) {
			result = &plugin.VerificationResult{Reason: "denied by configuration"}
		}
		response.VerificationResults[capability] = result
	}
	if req.PluginConfig["ignore"] != "yes" {
		for _, name := range req.Signature.UnprocessedAttributes {
			response.ProcessedAttributes = append(response.ProcessedAttributes, name)
		}
	}
	return response, nil
}

func read(path string) (crypto.PrivateKey, []*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, plugin.NewValidationErrorf("no such key: %s", path)
	}
	var key crypto.PrivateKey
	var chain []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, err
			}
			chain = append(chain, certificate)
		} else if key, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
			return nil, nil, err
		}
	}
	return key, chain, nil
}

func specOf(key crypto.PrivateKey) (plugin.KeySpec, plugin.SignatureAlgorithm, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		bits := key.Size() * 8
		hash := map[int]int{2048: 256, 3072: 384, 4096: 512}[bits]
		return plugin.KeySpec(fmt.Sprintf("RSA-%d", bits)), plugin.SignatureAlgorithm(fmt.Sprintf("RSASSA-PSS-SHA-%d", hash)), nil
	case *ecdsa.PrivateKey:
		bits := key.Curve.Params().BitSize
		hash := map[int]int{256: 256, 384: 384, 521: 512}[bits]
		return plugin.KeySpec(fmt.Sprintf("EC-%d", bits)), plugin.SignatureAlgorithm(fmt.Sprintf("ECDSA-SHA-%d", hash)), nil
	}
	return "", "", plugin.NewValidationErrorf("a key of type %T cannot sign", key)
}

func sign(key crypto.PrivateKey, name plugin.HashAlgorithm, payload []byte) ([]byte, error) {
	hash := map[plugin.HashAlgorithm]crypto.Hash{
		plugin.HashAlgorithmSHA256: crypto.SHA256,
		plugin.HashAlgorithmSHA384: crypto.SHA384,
		plugin.HashAlgorithmSHA512: crypto.SHA512,
	}[name]
	digest := hash.New()
	digest.Write(payload)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return rsa.SignPSS(rand.Reader, key, hash, digest.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest.Sum(nil))
		if err != nil {
			return nil, err
		}
		half := (key.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...), nil
	}
	return nil, plugin.NewValidationErrorf("a key of type %T cannot sign", key)
}
