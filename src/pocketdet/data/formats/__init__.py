"""Pascal VOC, COCO and YOLO: reading, writing, converting."""
