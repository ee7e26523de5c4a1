"""What a machine can compute at most, and how near every layer of a bundle's networks comes.

The model is that of Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance
Model for Multicore Architectures", Communications of the ACM 52 (2009): work that needs m
multiply-accumulates and must move b bytes takes at least ``max(m / peak, b / bandwidth)``.
"""
