"""Send: decide, render once, post under a key, settle. Owns skene_sends and skene_batches."""
