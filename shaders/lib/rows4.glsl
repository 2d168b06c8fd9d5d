// rows4.glsl: four neighbouring elements of a row at once, with zeros beyond its width. Include after lib/common.glsl.

// Elements first .. first + 3 of the row at `place`, `component` apart.
vec4 load4(Floats source, int place, int component, uint first, uint width) {
    vec4 four = vec4(0);
    [[unroll]] for (uint k = 0; k < 4; ++k)
        if (first + k < width) four[k] = source.at[place + int(first + k) * component];
    return four;
}

void store4(Floats to, uint place, uint first, uint width, vec4 four) {
    [[unroll]] for (uint k = 0; k < 4; ++k)
        if (first + k < width) to.at[place + first + k] = four[k];
}
