"""What the recipes share: drawn masks, augmentation, the loop, the command line."""
