"""What needs torch: building models, training, generating. Runs only in processes of its own."""
