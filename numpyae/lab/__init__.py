"""The lab: a training run from its settings to its pictures, a window on its code, published settings.

    settings      what `train` can be told, one record each, run.json, and words: kl:0.05:3 is KLSparsity(0.05, 3)
    runs          data, model, training, the number at the end, pictures
    explore       a window on the code of a trained model
    published     settings from papers, one record each
    reproduce     runs one of them; what came of all
"""
