# SPDX-License-Identifier: MIT
"""check_facenet.py CHECKPOINT EMBEDDINGS.npy IMAGE...: facenet-pytorch loads our checkpoint with strict key
matching, and gives the embeddings that fn-embed wrote for these pictures (fixed standardization) to 1e-5."""
import sys
import numpy as np
import torch
from facenet_pytorch import InceptionResnetV1
from PIL import Image
from safetensors.torch import load_file

checkpoint, npy, images = sys.argv[1], sys.argv[2], sys.argv[3:]
for name in ("model", "ema"):
    weights = load_file("%s/%s.safetensors" % (checkpoint, name))
    classes = weights["logits.weight"].shape[0]
    net = InceptionResnetV1(pretrained=None, classify=True, num_classes=classes)
    print(name, net.load_state_dict(weights, strict=True))
    if name == "model":
        net.classify = False
        net.eval()
        x = np.stack([np.asarray(Image.open(i).convert("RGB")) for i in images]).astype(np.float32)
        with torch.inference_mode():
            theirs = net(torch.from_numpy(((x - 127.5) / 128).transpose(0, 3, 1, 2).copy())).numpy()
        ours = np.load(npy)
        assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
        worst = float(np.abs(ours - theirs).max())
        print("largest difference of an embedding: %.2g" % worst)
        assert worst < 1e-5
