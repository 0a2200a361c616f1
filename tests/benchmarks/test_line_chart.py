# SPDX-License-Identifier: Apache-2.0
"""Line charts are valid SVG with their lines inside the picture."""

from xml.etree import ElementTree

from benchmarks.line_chart import line_chart, unit_line_chart


def test_a_chart_is_a_picture_with_its_lines_inside() -> None:
    lines = {"one": [(0.0, 0.0), (1.0, 0.42)], "two": [(0.5, 0.1)]}
    root = ElementTree.fromstring(unit_line_chart("title", "x", "y", lines))
    drawn = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(drawn) == 2
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    for element in drawn:
        for point in element.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 < x < width
            assert 0 < y < height


def test_a_chart_over_unevenly_spaced_values_is_svg() -> None:
    root = ElementTree.fromstring(line_chart("a < b", "d", (0, 1, 5), {"F1": (0.1, 0.2, 0.3)}))
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 1
