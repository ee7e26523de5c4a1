"""``make demo``: the whole pipeline on one real picture and a short sequence made from it."""
