// rows4.glsl: four neighbouring elements of a row at once, with zeros beyond its width. Include after
// lib/common.glsl.

// Elements first .. first + 3 of the row at `place`, `component` apart.
vec4 load4(Floats source, int place, int component, uint first, uint width) {
    vec4 four = vec4(0);
    [[unroll]] for (uint k = 0; k < 4; ++k)
        if (first + k < width) four[k] = source.at[place + int(min(first + k, width - 1)) * component];
    return four;
}

void store4(Floats to, uint place, uint first, uint width, vec4 four) {
    [[unroll]] for (uint k = 0; k < 4; ++k)
        if (first + k < width) to.at[place + first + k] = four[k];
}

// The same where all four lie within the row.
vec4 load4_inside(Floats source, int place, int component, uint first) {
    const int at = place + int(first) * component;
    return vec4(source.at[at], source.at[at + component], source.at[at + 2 * component],
                source.at[at + 3 * component]);
}

void store4_inside(Floats to, uint place, uint first, vec4 four) {
    [[unroll]] for (uint k = 0; k < 4; ++k) to.at[place + first + k] = four[k];
}
