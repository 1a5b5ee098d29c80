"""What crosses an air gap in one file: images with their signatures, and the evidence about revocation that they need."""
